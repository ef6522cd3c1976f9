/*
 * Status flags and positions that an open must repeat: behind 2 GiB, O_SYNC, O_DSYNC, O_DIRECT,
 * O_NOATIME, a directory read half way, and the task's own executable, open and partly read. One
 * description held across a fork.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>

static const off_t far = 5000000000;
enum { SEEN = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DIRECT | O_NOATIME | O_DIRECTORY };

static const int wanted[] = {
	O_RDWR,
	O_WRONLY | O_APPEND,
	O_RDWR | O_SYNC,
	O_RDWR | O_DSYNC,
	O_RDONLY | O_DIRECT,
	O_RDONLY | O_NOATIME | O_NONBLOCK,
};
enum { COUNT = sizeof(wanted) / sizeof(wanted[0]) };

static uint32_t *turn;

static void child(void *fd)
{
	checkpoint_wait();
	check(lseek((int)(intptr_t)fd, 1, SEEK_CUR) == far + 1);
	event_add(turn);
}

int main(void)
{
	int fd[COUNT], flags[COUNT], self, half;
	char elf[6] = "", names[256];
	long first;

	turn = shared_alloc(4096);
	must(close(must(open("file", O_CREAT | O_WRONLY, 0600))));
	for (int i = 0; i < COUNT; i++) {
		fd[i] = open("file", wanted[i]);
		if (fd[i] < 0 && wanted[i] & O_DIRECT)
			fd[i] = must(open("file", O_RDONLY));
		must(fd[i]);
		flags[i] = fcntl(fd[i], F_GETFL) & SEEN;
	}
	must(lseek(fd[0], far, SEEK_SET));
	self = must(open("/proc/self/exe", O_RDONLY));
	must_true(read(self, elf, 1) == 1);
	half = must(open(".", O_RDONLY | O_DIRECTORY));
	must(lseek(half, 0, SEEK_END));
	first = lseek(half, 0, SEEK_CUR);
	task_run(child, (void *)(intptr_t)fd[0]);
	checkpoint();
	for (int i = 0; i < COUNT; i++)
		check((fcntl(fd[i], F_GETFL) & SEEN) == flags[i], "%d: %#x, was %#x", i,
		      fcntl(fd[i], F_GETFL), flags[i]);
	event_wait(turn, 1);
	check(lseek(fd[0], 0, SEEK_CUR) == far + 1);
	check(read(self, elf, 3) == 3 && !memcmp(elf, "ELF", 3));
	check(lseek(half, 0, SEEK_CUR) == first && getdents64(half, names, sizeof(names)) >= 0);
	return test_end();
}
