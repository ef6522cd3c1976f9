#pragma once
/* A listener on the loopback address of any free port, and a connection to it. */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct tcp_pair {
	struct sockaddr_in name; /* of the listener */
	int listener, client, server;
};

/* Takes any protocol that speaks TCP: 0, IPPROTO_MPTCP. */
static inline void tcp_listen(struct tcp_pair *p, int protocol)
{
	socklen_t len = sizeof(p->name);

	p->name = (struct sockaddr_in){ AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } };
	p->listener = must(socket(AF_INET, SOCK_STREAM, protocol));
	must(bind(p->listener, (void *)&p->name, len));
	must(listen(p->listener, 5));
	must(getsockname(p->listener, (void *)&p->name, &len));
}

/* 0 or -errno; not for building a state only. */
static inline int tcp_connect(const struct tcp_pair *p, int fd)
{
	return connect(fd, (const void *)&p->name, sizeof(p->name)) ? -errno : 0;
}

static inline void tcp_pair(struct tcp_pair *p)
{
	tcp_listen(p, 0);
	p->client = must(socket(AF_INET, SOCK_STREAM, 0));
	must(tcp_connect(p, p->client));
	p->server = must(accept(p->listener, NULL, NULL));
}

static inline int tcp_state(int fd)
{
	struct tcp_info i = { 0 };
	socklen_t len = sizeof(i);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len) ? -errno : i.tcpi_state;
}
