/*
 * A child that executes itself without pause, in turn by its leader and by another thread while a
 * third one sleeps: numbers change their owner and threads vanish at any moment of the stop.
 */
/* harness: moves */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct chain {
	_Atomic uint64_t links;
	_Atomic int end;
};

static void link_on(const char *fd)
{
	execl("/proc/self/exe", "exec-chain", fd, (char *)NULL);
	must_true(!"exec");
}

static void *other(void *fd)
{
	if (fd)
		link_on(fd);
	for (;;)
		pause();
	return NULL;
}

static struct chain *map(int fd)
{
	return must_ptr(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

static int next(char *fd)
{
	struct chain *c = map(atoi(fd));
	uint64_t n = c->links++;
	pthread_t t;

	if (c->end)
		return 0;
	must(-pthread_create(&t, NULL, other, NULL));
	if (n % 2)
		must(-pthread_create(&t, NULL, other, fd));
	else
		link_on(fd);
	for (;;)
		pause();
}

static void begin(void *arg)
{
	char fd[12];

	snprintf(fd, sizeof(fd), "%d", *(int *)arg);
	checkpoint_arrive();
	link_on(fd);
}

int main(int argc, char **argv)
{
	struct chain *c;
	uint64_t before;
	int fd;

	if (argc > 1)
		return next(argv[1]);
	fd = must(memfd_create("chain", 0));
	must(ftruncate(fd, 4096));
	c = map(fd);
	task_run(begin, &fd);

	checkpoint();
	for (before = c->links; c->links < before + 4;)
		sched_yield();
	c->end = 1;
	return test_end();
}
