/*
 * Pipes: content, capacity, direct mode, one end closed, ends in two tasks, reopened through /proc
 * with other flags.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>

enum { LEN = 100000 };

static void fill(int fd, size_t len, uint64_t seed)
{
	char *buf = must_ptr(malloc(len));

	pattern_fill(buf, len, seed);
	must_true(write(fd, buf, len) == (ssize_t)len);
	free(buf);
}

static void drain(int fd, size_t len, uint64_t seed)
{
	char *buf = calloc(1, len + 1);
	size_t got = 0;
	ssize_t n;

	while (got < len && (n = read(fd, buf + got, len + 1 - got)) > 0)
		got += n;
	check(got == len && pattern_ok(buf, len, seed), "descriptor %d has %zu bytes", fd, got);
	free(buf);
}

struct ends {
	int plain[2], big[2], packets[2], to_child[2], reopened;
};

static void child(void *arg)
{
	struct ends *e = arg;
	char byte;

	must(close(e->to_child[1]));
	checkpoint_wait();
	drain(e->to_child[0], 5000, 4);
	/* The only writer is the parent: closing it must give the end of the file here. */
	check(read(e->to_child[0], &byte, 1) == 0);
}

int main(void)
{
	struct ends e;
	char path[64], buf[100];
	int half[2];

	must(pipe(e.plain) | pipe(e.big) | pipe2(e.packets, O_DIRECT | O_NONBLOCK) |
	     pipe(e.to_child) | pipe(half));
	fill(e.plain[1], 777, 1);
	must(fcntl(e.big[1], F_SETPIPE_SZ, 1 << 18));
	fill(e.big[1], LEN, 2);
	fill(e.packets[1], 10, 3);
	fill(e.packets[1], 20, 3);
	fill(e.to_child[1], 5000, 4);
	fill(half[1], 33, 5);
	must(close(half[1]));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", e.plain[0]);
	e.reopened = must(open(path, O_RDONLY | O_NONBLOCK));
	task_run(child, &e);
	must(close(e.to_child[0]));
	checkpoint();
	drain(e.plain[0], 777, 1);
	check(read(e.reopened, buf, 1) < 0 && errno == EAGAIN);
	check(fcntl(e.big[0], F_GETPIPE_SZ) == 1 << 18);
	drain(e.big[0], LEN, 2);
	check(read(e.packets[0], buf, sizeof(buf)) == 10 &&
	      read(e.packets[0], buf, sizeof(buf)) == 20);
	check(!close(e.to_child[1]));
	drain(half[0], 33, 5);
	check(read(half[0], buf, 1) == 0);
	return test_end();
}
