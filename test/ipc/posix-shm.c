/*
 * POSIX shared memory and semaphores, as databases and Python's multiprocessing use them: files in
 * /dev/shm, one by name, one removed with a descriptor left, one of which only the mappings are
 * left, and a semaphore without a name. A parent and its child have them.
 */
#include "test.h"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096, LEN = 50 * PAGE };

static char *named, *removed, *bare;
static sem_t *sem;
static int fd_named, fd_removed;

static char *make(const char *name, int *ret_fd)
{
	int fd = must(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));

	must(ftruncate(fd, LEN));
	*ret_fd = fd;
	return must_ptr(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

static void child(void *arg)
{
	checkpoint_wait();
	check(!sem_wait(sem));
	check(pattern_ok(named, LEN, 1) && pattern_ok(removed, LEN, 2) && pattern_ok(bare, LEN, 3));
	named[0] = removed[0] = bare[0] = 99;
	check(pwrite(fd_removed, "c", 1, 1) == 1);
	check(!sem_post(sem + 1));
	(void)arg;
}

int main(void)
{
	char name[4][40];
	struct timespec now;
	int gone;

	must(clock_gettime(CLOCK_REALTIME, &now));
	for (int i = 0; i < 4; i++)
		snprintf(name[i], sizeof(name[i]), "/torpor-%d-%ld-%d",
			 getpid(), now.tv_nsec, i);
	named = make(name[0], &fd_named);
	removed = make(name[1], &fd_removed);
	bare = make(name[2], &gone);
	must(close(gone));
	sem = (sem_t *)make(name[3], &gone);
	must(close(gone));
	must(sem_init(sem, 1, 0) | sem_init(sem + 1, 1, 0));
	for (int i = 1; i < 4; i++)
		must(shm_unlink(name[i]));
	pattern_fill(named, LEN, 1);
	pattern_fill(removed, LEN, 2);
	pattern_fill(bare, LEN, 3);
	task_run(child, NULL);
	checkpoint();
	check(!sem_post(sem) && !sem_wait(sem + 1));
	check(named[0] == 99 && removed[0] == 99 && bare[0] == 99 && removed[1] == 'c');
	check(!shm_unlink(name[0]), "the name is gone");
	return test_end();
}
