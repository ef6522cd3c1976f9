/*
 * Shared memory with and without relatives: anonymous, memfd (also without a descriptor left),
 * parts of one object mapped at several places, with other permissions, and an object whose other
 * users have exited.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum { PAGE = 4096, LEN = 64 * PAGE };

static char *anon, *orphan, *memfd_a, *memfd_b, *readonly;
static uint32_t *turn;

static void map_all(void)
{
	int fd = must(memfd_create("shared", MFD_CLOEXEC));

	must(ftruncate(fd, LEN));
	anon = shared_alloc(LEN);
	orphan = shared_alloc(LEN);
	memfd_a = must_ptr(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	memfd_b = must_ptr(mmap(NULL, LEN / 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, LEN / 2));
	readonly = must_ptr(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE));
	must(close(fd));
	pattern_fill(anon, LEN, 1);
	pattern_fill(memfd_a, LEN, 2);
}

static void child(void *arg)
{
	(void)arg;
	must(munmap(anon + 8 * PAGE, 8 * PAGE));
	checkpoint_wait();
	check(pattern_ok(anon, 8 * PAGE, 1));
	pattern_fill(anon, 100, 77);
	pattern_fill(memfd_b, 100, 78);
	event_add(turn);
}

int main(void)
{
	pid_t pid;

	turn = shared_alloc(PAGE);
	map_all();
	pid = must(fork());
	if (!pid) {
		pattern_fill(orphan, LEN, 3);
		_exit(0);
	}
	must(waitpid(pid, NULL, 0));
	task_run(child, NULL);
	checkpoint();
	event_wait(turn, 1);
	check(pattern_ok(anon, 100, 77), "the child's write is not seen");
	check(pattern_ok(memfd_a + LEN / 2, 100, 78) && pattern_ok(memfd_b, 100, 78));
	check(pattern_ok(orphan, LEN, 3));
	pattern_fill(memfd_a + PAGE, 100, 79);
	check(pattern_ok(readonly, 100, 79));
	check(mprotect(readonly, PAGE, PROT_READ | PROT_WRITE) == 0);
	return test_end();
}
