/*
 * A connection whose other end is a process outside of the tree, which goes on sending numbered
 * blocks all the time and checks what it gets; every byte arrives once, in both directions,
 * although some packets are lost on the way.
 */
/* harness: net moves modes=restore,running,cycles dump=--tcp-established restore=--tcp-established
 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { TOTAL = 4 << 20, PIECE = 2000 };

static uint8_t byte_at(uint32_t position)
{
	return (uint8_t)(position ^ position >> 8 ^ position >> 16);
}

/* Sends and receives bytes that tell their place, as it comes. False: something else came. */
static bool talk(int fd, uint32_t *sent, uint32_t *got)
{
	struct pollfd p = { fd, *sent < TOTAL ? POLLIN | POLLOUT : POLLIN, 0 };
	uint8_t buf[PIECE];
	long n = 0;

	if (poll(&p, 1, 20000) <= 0)
		return false;
	for (uint32_t i = 0; i < PIECE; i++)
		buf[i] = byte_at(*sent + i);
	if (p.revents & POLLOUT)
		n = send(fd, buf, TOTAL - *sent < PIECE ? TOTAL - *sent : PIECE, MSG_DONTWAIT);
	if (n < 0)
		return false;
	*sent += (uint32_t)n;
	if (!(p.revents & POLLIN))
		return true;
	n = recv(fd, buf, TOTAL - *got < PIECE ? TOTAL - *got : PIECE, MSG_DONTWAIT);
	for (long i = 0; i < n; i++)
		if (buf[i] != byte_at((*got)++))
			return false;
	return n > 0;
}

static bool talk_all(int fd)
{
	uint32_t sent = 0, got = 0;

	while (sent < TOTAL || got < TOTAL)
		if (!talk(fd, &sent, &got))
			return false;
	return true;
}

/* Twice forked, so that it is nobody's child here. */
static void start_peer(int family, uint16_t *ret_port)
{
	struct sockaddr_in6 a = { .sin6_family = (sa_family_t)family };
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(a);
	int listener = must(socket(family, SOCK_STREAM, 0)), fd;

	must(listen(listener, 1));
	must(getsockname(listener, (void *)&a, &len));
	*ret_port = a.sin6_port;
	if (must(fork()) == 0) {
		if (must(fork()))
			_exit(0);
		must(setsid());
		fd = must(accept(listener, NULL, NULL));
		close(listener);
		if (!talk_all(fd) || send(fd, &(pid_t){ getpid() }, sizeof(pid_t), 0) < 0)
			_exit(1);
		(void)!read(fd, &fd, 1);
		_exit(0);
	}
	must(wait(NULL));
	must(close(listener));
}

static int connect_to(int family, uint16_t port)
{
	struct sockaddr_in v4 = { AF_INET, port, { htonl(INADDR_LOOPBACK) }, { 0 } };
	struct sockaddr_in6 v6 = { AF_INET6, port, 0, in6addr_loopback, 0 };
	int fd = must(socket(family, SOCK_STREAM, 0));

	if (family == AF_INET)
		must(connect(fd, (void *)&v4, sizeof(v4)));
	else
		must(connect(fd, (void *)&v6, sizeof(v6)));
	return fd;
}

static const char lossy[] =
	"nft 'add table inet t; add chain inet t c { type filter hook input priority 0; };"
	"add rule inet t c meta l4proto tcp numgen random mod 100 < 2 drop'";

int main(void)
{
	static const int family[] = { AF_INET, AF_INET6 };
	uint16_t port[2];
	pid_t peer[2];
	int fd[2];

	if (system(lossy))
		skip("no packet filter to lose packets with");
	for (int i = 0; i < 2; i++)
		start_peer(family[i], &port[i]);
	for (int i = 0; i < 2; i++)
		fd[i] = connect_to(family[i], port[i]);
	checkpoint();
	for (int i = 0; i < 2; i++) {
		check(talk_all(fd[i]));
		check(recv(fd[i], &peer[i], sizeof(pid_t), MSG_WAITALL) == sizeof(pid_t));
		check(!close(fd[i]));
		while (!kill(peer[i], 0))
			sched_yield();
	}
	return test_end();
}
