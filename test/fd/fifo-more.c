/*
 * Named pipes: a reader that never had a writer, reader and writer in two tasks, data without a
 * writer, open for both, a full one, one whose name is gone and one whose name is a new fifo.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

static uint32_t *turn;

static int make(const char *name, int flags)
{
	must(mkfifo(name, 0640));
	return must(open(name, flags));
}

static short events(int fd)
{
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};

	must(poll(&p, 1, 0));
	return p.revents;
}

static void put(int fd, size_t len, uint64_t seed)
{
	char buf[8192];

	pattern_fill(buf, len, seed);
	must_true(write(fd, buf, len) == (ssize_t)len);
}

static void take(int fd, size_t len, uint64_t seed)
{
	char buf[8192] = {0};

	check(read(fd, buf, sizeof(buf)) == (ssize_t)len && pattern_ok(buf, len, seed), "%zu bytes",
	      len);
}

static void writer(void *arg)
{
	int fd = must(open("two", O_WRONLY));

	put(fd, 700, 2);
	must(fcntl(fd, F_SETPIPE_SZ, 1 << 17));
	event_add(turn);
	checkpoint_wait();
	put(fd, 50, 3);
	check(!close(fd));
	event_add(turn);
	(void)arg;
}

static int make_orphan_data(void)
{
	int fd = make("data", O_RDONLY | O_NONBLOCK), out = must(open("data", O_WRONLY));

	put(out, 333, 4);
	must(close(out));
	return fd;
}

static int make_gone(const char *name)
{
	int fd = make(name, O_RDWR);

	put(fd, 44, 5);
	must(unlink(name));
	return fd;
}

int main(void)
{
	int lonely = make("lonely", O_RDONLY | O_NONBLOCK), both = make("both", O_RDWR), two, data,
	    gone, again;
	short before;
	struct stat st, now;

	turn = shared_alloc(4096);
	must(mkfifo("two", 0600));
	task_run(writer, NULL);
	two = must(open("two", O_RDONLY));
	event_wait(turn, 1);
	data = make_orphan_data();
	gone = make_gone("gone");
	again = make_gone("again");
	must(mkfifo("again", 0600));
	put(both, 4096, 6);
	before = events(lonely);
	checkpoint();
	check(events(lonely) == before, "%#x, was %#x", events(lonely), before);
	check(open("lonely", O_WRONLY | O_NONBLOCK) >= 0);
	event_wait(turn, 2);
	check(fcntl(two, F_GETPIPE_SZ) == 1 << 17);
	check(read(two, (char[700]){0}, 700) == 700);
	take(two, 50, 3);
	check(read(two, &(char){0}, 1) == 0);
	check(events(data) == (POLLIN | POLLHUP), "%#x", events(data));
	take(data, 333, 4);
	check(read(data, &(char){0}, 1) == 0);
	take(both, 4096, 6);
	put(both, 10, 7);
	take(both, 10, 7);
	take(gone, 44, 5);
	take(again, 44, 5);
	check(!fstat(gone, &st) && S_ISFIFO(st.st_mode) && !st.st_nlink && access("gone", F_OK));
	check(!fstat(again, &st) && !stat("again", &now) && st.st_ino != now.st_ino);
	check(!stat("two", &st) && (st.st_mode & 07777) == 0600);
	return test_end();
}
