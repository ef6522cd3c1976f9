/*
 * Memory of a memfd, with and without a descriptor left: parts of one object mapped at several
 * places and with other permissions.
 */
#include "test.h"

#include <sys/mman.h>

enum { PAGE = 4096, LEN = 64 * PAGE };

static char *whole, *half, *readonly;
static uint32_t *turn;

static void child(void *arg)
{
	checkpoint_wait();
	pattern_fill(half, 100, 78);
	event_add(turn);
	(void)arg;
}

int main(void)
{
	int fd = must(memfd_create("shared", MFD_CLOEXEC));

	turn = shared_alloc(PAGE);
	must(ftruncate(fd, LEN));
	whole = must_ptr(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	half = must_ptr(mmap(NULL, LEN / 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, LEN / 2));
	readonly = must_ptr(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE));
	must(close(fd));
	pattern_fill(whole, LEN, 2);
	task_run(child, NULL);
	checkpoint();
	event_wait(turn, 1);
	check(pattern_ok(whole + LEN / 2, 100, 78) && pattern_ok(half, 100, 78));
	pattern_fill(whole + PAGE, 100, 79);
	check(pattern_ok(readonly, 100, 79));
	check(mprotect(readonly, PAGE, PROT_READ | PROT_WRITE) == 0);
	return test_end();
}
