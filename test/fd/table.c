/*
 * Tables of descriptors that two tasks share (CLONE_FILES), beside one that is a copy: what one
 * opens the other has.
 */
#include "test.h"

#include <fcntl.h>
#include <sched.h>

static uint32_t *turn;

static int sharing(int fd)
{
	checkpoint_wait();
	event_wait(turn, 1);
	check(fcntl(200, F_GETFD) == 0, "the parent's new descriptor is missing");
	check(lseek(fd, 0, SEEK_CUR) == 55);
	check(!close(fd));
	event_add(turn);
	return test_end();
}

static int copied(int fd)
{
	checkpoint_wait();
	event_wait(turn, 2);
	check(fcntl(200, F_GETFD) < 0 && errno == EBADF);
	check(lseek(fd, 0, SEEK_CUR) == 55);
	return test_end();
}

int main(void)
{
	int fd;

	turn = shared_alloc(4096);
	fd = must(open("file", O_CREAT | O_RDWR, 0600));
	must(lseek(fd, 55, SEEK_SET));
	if (!task_clone(0))
		return copied(fd);
	if (!task_clone(CLONE_FILES))
		return sharing(fd);
	if (!task_clone(CLONE_FILES | CLONE_FS))
		return checkpoint_wait(), test_end();
	checkpoint();
	check(dup2(fd, 200) == 200);
	event_add(turn);
	event_wait(turn, 2);
	check(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
	return test_end();
}
