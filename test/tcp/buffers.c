/* Connections with 40 MiB of buffer at each end (the kernel doubles it), both directions full,
 * while the kernel goes on moving bytes from queue to queue: every byte arrives once, in order, and
 * traffic goes on. */
/* harness: net moves */
#include "../lib/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { BUFFER = 40 << 20, PIECE = 1 << 20 };

static char piece[PIECE + 8], got[PIECE];

static void enlarge(int fd)
{
	must(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){BUFFER}, 4));
	must(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){BUFFER}, 4));
}

static void make_pair(int family, int fd[2])
{
	struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	struct sockaddr_in v4 = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(name);
	int listener = must(socket(family, SOCK_STREAM, 0));

	if (family == AF_INET)
		memcpy(&name, &v4, sizeof(v4));
	enlarge(listener);
	must(bind(listener, (void *)&name, len));
	must(listen(listener, 1));
	must(getsockname(listener, (void *)&name, &len));
	fd[0] = must(socket(family, SOCK_STREAM, 0));
	enlarge(fd[0]);
	must(connect(fd[0], (void *)&name, len));
	fd[1] = must(accept(listener, NULL, NULL));
	close(listener);
}

/* A stream of bytes that repeats after a megabyte and nowhere before; until nothing more fits. */
static size_t fill(int fd)
{
	struct pollfd writable = {fd, POLLOUT, 0};
	size_t sent = 0;

	for (;;) {
		size_t at = sent % PIECE;
		ssize_t n = send(fd, piece + at, PIECE - at, MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		else if (poll(&writable, 1, 100) <= 0)
			return sent;
	}
}

static bool drain(int fd, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t at = done % PIECE, most = len - done < PIECE - at ? len - done : PIECE - at;
		ssize_t n = recv(fd, got, most, 0);

		if (n <= 0 || memcmp(got, piece + at, (size_t)n))
			return false;
		done += (size_t)n;
	}
	return true;
}

static void checkpoint_full(int family)
{
	int fd[2], waits = 0;
	size_t len[2];

	make_pair(family, fd);
	len[0] = fill(fd[0]);
	len[1] = fill(fd[1]);
	must_true(len[0] > 60 << 20 && len[1] > 60 << 20);
	checkpoint();
	check(drain(fd[1], len[0]), "%zu bytes one way", len[0]);
	check(drain(fd[0], len[1]), "%zu bytes the other way", len[1]);
	check(!ioctl(fd[0], FIONREAD, &waits) && !waits && !ioctl(fd[1], FIONREAD, &waits) &&
	      !waits);
	check(send(fd[0], piece, 1000, 0) == 1000 && drain(fd[1], 1000));
	check(send(fd[1], piece, 1000, 0) == 1000 && drain(fd[0], 1000));
}

int main(void)
{
	pattern_fill(piece, PIECE, 5);
#ifdef OVER_V6
	checkpoint_full(AF_INET6);
#else
	checkpoint_full(AF_INET);
#endif
	return test_end();
}
