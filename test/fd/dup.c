/*
 * One open file description under several numbers and in several tasks: the position is common, the
 * close-on-exec flag is not; two opens of one file stay two. High numbers keep the size of the
 * table.
 */
#include "test.h"

#include <fcntl.h>

static int one, other, copy, high;
static uint32_t *turn;

static off_t position(int fd)
{
	return lseek(fd, 0, SEEK_CUR);
}

static void child(void *arg)
{
	(void)arg;
	must(close(copy));
	must(dup2(other, 50));
	checkpoint_wait();
	check(position(one) == 100 && position(50) == 7);
	check(lseek(one, 4000, SEEK_SET) == 4000);
	check(lseek(50, 4001, SEEK_SET) == 4001);
	event_add(turn);
}

int main(void)
{
	turn = shared_alloc(4096);
	one = must(open("file", O_CREAT | O_RDWR, 0600));
	other = must(open("file", O_RDWR));
	must(lseek(one, 100, SEEK_SET));
	must(lseek(other, 7, SEEK_SET));
	copy = must(fcntl(one, F_DUPFD_CLOEXEC, 20));
	high = must(fcntl(one, F_DUPFD, 1000));
	task_run(child, NULL);
	checkpoint();
	event_wait(turn, 1);
	check(position(one) == 4000 && position(copy) == 4000 && position(high) == 4000);
	check(position(other) == 4001);
	check(fcntl(copy, F_GETFD) == FD_CLOEXEC && fcntl(one, F_GETFD) == 0 &&
	      fcntl(high, F_GETFD) == 0);
	check(!fcntl(one, F_SETFL, O_APPEND) && fcntl(copy, F_GETFL) & O_APPEND &&
	      !(fcntl(other, F_GETFL) & O_APPEND));
	return test_end();
}
