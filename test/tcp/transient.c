/*
 * A connection that is being made while its packets are dropped: after the checkpoint they pass,
 * and it completes, with the name it had chosen.
 */
/* harness: net moves dump=--tcp-established */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

static void shell(const char *line)
{
	if (system(line))
		skip("%s", line);
}

static int state(int fd)
{
	struct tcp_info i = { 0 };
	socklen_t len = sizeof(i);

	check(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len));
	return i.tcpi_state;
}

int main(void)
{
	struct sockaddr_in a = { AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } }, before, after;
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), fd, peer, error = -1;
	socklen_t len = sizeof(a);
	char rule[200], byte = 0;

	must(bind(listener, (void *)&a, sizeof(a)));
	must(listen(listener, 3));
	must(getsockname(listener, (void *)&a, &len));
	shell("nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }'");
	snprintf(rule, sizeof(rule), "nft add rule inet t c tcp dport %d drop", ntohs(a.sin_port));
	shell(rule);
	fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	must_true(connect(fd, (void *)&a, sizeof(a)) == -1 && errno == EINPROGRESS);
	must(getsockname(fd, (void *)&before, &len));

	checkpoint();
	check(state(fd) == TCP_SYN_SENT, "%d", state(fd));
	check(fcntl(fd, F_GETFL) & O_NONBLOCK);
	check(!getsockname(fd, (void *)&after, &len) && after.sin_port == before.sin_port);
	shell("nft delete table inet t");
	check(poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, 20000) == 1);
	check(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) && !error, "%d", error);
	peer = accept(listener, (void *)&after, &(socklen_t){ sizeof(after) });
	check(peer >= 0 && after.sin_port == before.sin_port);
	check(write(peer, "x", 1) == 1 && poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 20000) == 1);
	check(read(fd, &byte, 1) == 1 && byte == 'x');
	return test_end();
}
