/*
 * Pipes at their edges: one slot that still takes an append, a full pipe, packets with an empty
 * remainder, an end open for both through /proc, only a writer left, only a reader left, an empty
 * pipe of another size, and the same number for two pipes in two tasks.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

enum { NUMBER = 77 };

static void make(int *p, int flags, int size)
{
	must(pipe2(p, flags));
	if (size)
		must(fcntl(p[1], F_SETPIPE_SZ, size));
}

static void other_task(void *arg)
{
	int p[2];

	make(p, O_NONBLOCK, 0);
	must_true(write(p[1], "child", 5) == 5);
	must(dup2(p[0], NUMBER));
	checkpoint_wait();
	check(read(NUMBER, (char[10]){0}, 10) == 5);
	(void)arg;
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return must(open(path, flags));
}

static short events(int fd)
{
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};

	must(poll(&p, 1, 0));
	return p.revents;
}

static void packets(int fd)
{
	char buf[6000];

	pattern_fill(buf, sizeof(buf), 1);
	must_true(write(fd, buf, 6000) == 6000 && write(fd, "a", 1) == 1);
	must(fcntl(fd, F_SETFL, O_NONBLOCK));
	must_true(write(fd, "bc", 2) == 2 && write(fd, "de", 2) == 2);
	must(fcntl(fd, F_SETFL, O_NONBLOCK | O_DIRECT));
}

static void check_packets(const int *p)
{
	char buf[8192];

	check(fcntl(p[1], F_GETFL) & O_DIRECT && !(fcntl(p[0], F_GETFL) & O_DIRECT));
	check(read(p[0], buf, 8192) == 4096 && read(p[0], buf, 100) == 100);
	check(read(p[0], buf, 8192) == 1 && buf[0] == 'a');
	check(read(p[0], buf, 8192) == 4 && !memcmp(buf, "bcde", 4));
	check(read(p[0], buf, 1) < 0 && errno == EAGAIN);
}

int main(void)
{
	int one[2], packet[2], both[2], write_only[2], read_only[2], empty[2], rw;
	char buf[16];

	signal(SIGPIPE, SIG_IGN);
	task_run(other_task, NULL);
	make(one, O_NONBLOCK, 4096);
	must_true(write(one[1], "0123456789", 10) == 10);
	must(dup2(one[0], NUMBER));
	make(packet, O_DIRECT, 0);
	packets(packet[1]);
	must(fcntl(packet[0], F_SETFL, O_NONBLOCK));
	make(both, 0, 0);
	rw = reopen(both[0], O_RDWR | O_NONBLOCK);
	must_true(write(rw, "both", 4) == 4);
	must(close(both[1]));
	make(write_only, O_NONBLOCK, 4096);
	must_true(write(write_only[1], "lost", 4) == 4);
	must(close(write_only[0]));
	make(read_only, 0, 8192);
	must(close(read_only[1]));
	make(empty, O_NONBLOCK, 1 << 16);
	checkpoint();
	check(write(one[1], "abcd", 4) == 4, "a slot in use takes no more");
	check(read(NUMBER, buf, 16) == 14 && !memcmp(buf, "0123456789abcd", 14));
	check_packets(packet);
	check(read(both[0], buf, 16) == 4 && fcntl(both[0], F_GETFL) == O_RDONLY);
	check(read(rw, buf, 1) < 0 && errno == EAGAIN);
	check(events(write_only[1]) & POLLERR && write(write_only[1], "x", 1) < 0 &&
	      errno == EPIPE);
	check(events(read_only[0]) == POLLHUP && read(read_only[0], buf, 1) == 0);
	check(fcntl(read_only[0], F_GETPIPE_SZ) == 8192 && fcntl(empty[0], F_GETPIPE_SZ) == 65536);
	check(events(empty[0]) == 0 && events(empty[1]) == POLLOUT);
	return test_end();
}
