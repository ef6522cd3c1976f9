/* Connections that wait to be accepted and have received something, and the end of a stream too:
 * the programs accept and read it after the restore. */
/* harness: net moves modes=restore,cycles,again */
#include "tcp-pair.h"

enum { MUCH = 900000 };

static char bytes[MUCH], got[MUCH];

static void expect(const struct tcp_pair *p, size_t len, uint64_t seed, bool ends)
{
	int fd = accept(p->listener, NULL, NULL);
	ssize_t n = len ? recv(fd, got, len, MSG_WAITALL) : 0;

	check(n == (ssize_t)len && pattern_ok(got, len, seed), "%zd of %zu", n, len);
	if (ends)
		check(recv(fd, got, 1, 0) == 0);
	else
		check(recv(fd, got, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	close(fd);
}

static int put(const struct tcp_pair *p, size_t len, uint64_t seed)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	must(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){4 << 20}, 4));
	must(tcp_connect(p, fd));
	pattern_fill(bytes, len, seed);
	must_true(!len || send(fd, bytes, len, MSG_DONTWAIT) == (ssize_t)len);
	return fd;
}

int main(void)
{
	struct tcp_pair p;
	int few, none, much, end;

	tcp_listen(&p, 0);
	few = put(&p, 10, 1);
	none = put(&p, 0, 2);
	much = put(&p, MUCH, 3); /* more than the other end takes */
	end = put(&p, 1000, 4);
	must(shutdown(end, SHUT_WR));

	checkpoint();
	expect(&p, 10, 1, false);
	expect(&p, 0, 2, false);
	expect(&p, MUCH, 3, false);
	expect(&p, 1000, 4, true);
	check(recv(few, got, 1, 0) == 0 && recv(none, got, 1, 0) == 0 &&
	      recv(much, got, 1, 0) == 0 && recv(end, got, 1, 0) == 0);
	return test_end();
}
