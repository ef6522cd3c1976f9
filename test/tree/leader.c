/*
 * A process whose first thread has ended while others live: the number stays, shown as a zombie
 * that is none, and memory and descriptors are reached through the living threads only.
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>

static int fd;
static char *memory;

static void *survivor(void *arg)
{
	(void)arg;
	checkpoint_wait();
	check(syscall(SYS_gettid) != getpid());
	check(pattern_ok(memory, 5000, 1));
	check(lseek(fd, 0, SEEK_CUR) == 42);
	_exit(test_end());
}

static void child(void)
{
	pthread_t thread;

	fd = must(open("file", O_CREAT | O_RDWR, 0600));
	must(lseek(fd, 42, SEEK_SET));
	memory = must_ptr(malloc(5000));
	pattern_fill(memory, 5000, 1);
	must_true(!pthread_create(&thread, NULL, survivor, NULL));
	syscall(SYS_exit, 0);
}

int main(void)
{
	if (!task_fork())
		child();
	checkpoint();
	return test_end();
}
