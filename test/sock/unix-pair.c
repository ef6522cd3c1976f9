/*
 * Pairs of unix sockets of the three types: queued messages with their boundaries in both
 * directions, a message of no bytes, each way of shutdown, a closed peer with unread data, the two
 * ends in two tasks, options and buffer sizes.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
enum { TYPES = 3 };

struct pairs {
	int queued[2], closed, shut_rd[2], shut_wr[2], shut_both[2], far[2];
};

static void put(int fd, size_t len, uint64_t seed)
{
	char buf[4096];

	pattern_fill(buf, len, seed);
	must_true(send(fd, buf, len, 0) == (ssize_t)len);
}

static void take(int fd, size_t len, uint64_t seed)
{
	char buf[4096] = {0};
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	check(n == (ssize_t)len && pattern_ok(buf, len, seed), "%zd bytes and not %zu", n, len);
}

static struct pairs make(int type)
{
	struct pairs p;
	int gone[2];

	must(socketpair(AF_UNIX, type, 0, p.queued) | socketpair(AF_UNIX, type, 0, gone) |
	     socketpair(AF_UNIX, type, 0, p.shut_rd) | socketpair(AF_UNIX, type, 0, p.shut_wr) |
	     socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, p.shut_both) |
	     socketpair(AF_UNIX, type, 0, p.far));
	put(p.queued[0], 100, 1);
	if (type != SOCK_STREAM) {
		put(p.queued[0], 0, 0);
		put(p.queued[0], 2000, 2);
	}
	put(p.queued[1], 30, 3);
	put(gone[1], 64, 4);
	must(close(gone[1]));
	p.closed = gone[0];
	put(p.shut_wr[0], 11, 5);
	must(shutdown(p.shut_wr[0], SHUT_WR) | shutdown(p.shut_rd[0], SHUT_RD) |
	     shutdown(p.shut_both[0], SHUT_RDWR));
	must(setsockopt(p.queued[0], SOL_SOCKET, SO_SNDBUF, &(int){50000}, 4));
	must(setsockopt(p.queued[0], SOL_SOCKET, SO_RCVTIMEO, &(long[2]){77, 0}, 16));
	put(p.far[0], 500, 6);
	return p;
}

static void check_queues(const struct pairs *p, int type)
{
	long timeout[2] = {0};
	int size = 0;

	check(!getsockopt(p->queued[0], SOL_SOCKET, SO_SNDBUF, &size, &(socklen_t){4}) &&
		      size == 100000,
	      "%d", size);
	check(!getsockopt(p->queued[0], SOL_SOCKET, SO_RCVTIMEO, timeout, &(socklen_t){16}) &&
	      timeout[0] == 77);
	take(p->queued[1], 100, 1);
	if (type != SOCK_STREAM) {
		take(p->queued[1], 0, 0);
		take(p->queued[1], 2000, 2);
	}
	take(p->queued[0], 30, 3);
	check(recv(p->queued[0], &(char){0}, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void check_ends(const struct pairs *p, int type)
{
	take(p->closed, 64, 4);
	if (type != SOCK_DGRAM)
		check(recv(p->closed, &(char){0}, 1, MSG_DONTWAIT) == 0);
	check(send(p->closed, "x", 1, 0) < 0 &&
		      errno == (type == SOCK_DGRAM ? ECONNREFUSED : EPIPE),
	      "type %d", type);
	take(p->shut_wr[1], 11, 5);
	check(send(p->shut_wr[0], "x", 1, 0) < 0 && errno == EPIPE);
	check(send(p->shut_wr[1], "x", 1, 0) == 1 && recv(p->shut_wr[0], &(char){0}, 1, 0) == 1);
	check(recv(p->shut_rd[0], &(char){0}, 1, 0) == 0 && send(p->shut_rd[0], "x", 1, 0) == 1);
	check(send(p->shut_rd[1], "x", 1, 0) < 0 && errno == EPIPE);
	check(recv(p->shut_both[0], &(char){0}, 1, 0) == (type == SOCK_DGRAM ? -1 : 0));
	check(send(p->shut_both[0], "x", 1, 0) < 0 && errno == EPIPE);
	check(fcntl(p->shut_both[0], F_GETFL) & O_NONBLOCK);
}

static void child(void *arg)
{
	struct pairs *p = arg;

	for (int i = 0; i < TYPES; i++)
		must(close(p[i].far[0]) | close(p[i].queued[0]) | close(p[i].queued[1]));
	checkpoint_wait();
	for (int i = 0; i < TYPES; i++) {
		take(p[i].far[1], 500, 6);
		put(p[i].far[1], 321, 7);
	}
}

int main(void)
{
	struct pairs p[TYPES];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < TYPES; i++)
		p[i] = make(types[i]);
	task_run(child, p);
	for (int i = 0; i < TYPES; i++)
		must(close(p[i].far[1]));
	checkpoint();
	for (int i = 0; i < TYPES; i++) {
		char buf[400];

		check_queues(&p[i], types[i]);
		check_ends(&p[i], types[i]);
		check(recv(p[i].far[0], buf, 400, 0) == 321 && pattern_ok(buf, 321, 7));
	}
	return test_end();
}
