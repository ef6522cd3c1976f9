/*
 * Named pipes: what waits in them, readers that never had a writer and readers whose writer went,
 * ends in different tasks, a pipe whose name is gone.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

static int quiet, hung, gone, near;
static uint32_t *turn;

static int look(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void child(void *arg)
{
	char buf[8];

	(void)arg;
	must(close(near));
	near = must(open("near", O_RDONLY));
	checkpoint_wait();
	check(read(near, buf, 8) == 3 && !memcmp(buf, "far", 3));
	event_add(turn);
	check(read(near, buf, 8) == 5 && !memcmp(buf, "later", 5), "the writer waits for nobody");
	check(!(fcntl(near, F_GETFL) & O_NONBLOCK));
}

int main(void)
{
	char buf[8];
	int writer;

	turn = shared_alloc(4096);
	must(mkfifo("quiet", 0600));
	must(mkfifo("hung", 0640));
	must(mkfifo("gone", 0600));
	must(mkfifo("near", 0600));
	quiet = must(open("quiet", O_RDONLY | O_NONBLOCK));
	hung = must(open("hung", O_RDONLY | O_NONBLOCK));
	writer = must(open("hung", O_WRONLY));
	must(write(writer, "data", 4));
	must(close(writer));
	gone = must(open("gone", O_RDWR));
	must(write(gone, "ghost", 5));
	must(unlink("gone"));
	near = must(open("near", O_RDWR));
	must(write(near, "far", 3));
	writer = must(open("near", O_WRONLY | O_CLOEXEC));
	task_run(child, NULL);
	checkpoint();
	check(look(quiet) == 0 && look(hung) == (POLLIN | POLLHUP));
	check(read(hung, buf, 8) == 4 && read(hung, buf, 8) == 0);
	check(read(gone, buf, 8) == 5 && !memcmp(buf, "ghost", 5) && access("gone", F_OK));
	event_wait(turn, 1);
	check(write(writer, "later", 5) == 5);
	check(fcntl(writer, F_GETFD) == FD_CLOEXEC);
	return test_end();
}
