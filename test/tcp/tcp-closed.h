#pragma once
/* What a connection is after --tcp-close; the listener and its port go on. */
#include "tcp-pair.h"

#include <poll.h>

static inline void check_closed(int fd)
{
	struct pollfd p = { fd, 0, 0 };
	char byte;

	check(tcp_state(fd) == TCP_CLOSE, "%d", tcp_state(fd));
	check(poll(&p, 1, 0) == 1 && p.revents == POLLHUP, "%#x", p.revents);
	check(recv(fd, &byte, 1, 0) == 0);
	check(send(fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "%s", strerror(errno));
}

static inline void check_all_closed(const struct tcp_pair *p)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	check_closed(p->client);
	check_closed(p->server);
	check(!tcp_connect(p, fd) && accept(p->listener, NULL, NULL) >= 0);
	check(!close(p->listener));
}
