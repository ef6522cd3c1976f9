/*
 * Shared anonymous memory with and without relatives: of two tasks, with a hole in one of them, and
 * of an object whose other users have exited.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum { PAGE = 4096, LEN = 64 * PAGE };

static char *anon, *orphan;
static uint32_t *turn;

static void map_all(void)
{
	anon = shared_alloc(LEN);
	orphan = shared_alloc(LEN);
	pattern_fill(anon, LEN, 1);
}

static void child(void *arg)
{
	(void)arg;
	must(munmap(anon + 8 * PAGE, 8 * PAGE));
	checkpoint_wait();
	check(pattern_ok(anon, 8 * PAGE, 1));
	pattern_fill(anon, 100, 77);
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
	check(pattern_ok(orphan, LEN, 3));
	return test_end();
}
