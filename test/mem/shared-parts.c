/*
 * Shared anonymous objects in parts: at other addresses in other tasks, with holes, cut off at the
 * end, only a middle piece, moved by mremap, mapped again through /proc/PID/map_files, an object
 * larger than any mapping of it, a sparse one of 1 GiB, one that only a child filled, and one that
 * a task replaced by private memory. Tasks write while nobody looks.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 64, LEN = PAGES * PAGE };
static const size_t giant = 1ul << 30;

static char *moved, *holes, *middle, *sparse, *by_child, *replaced, *again;
static uint32_t *turn;

static void *shared(size_t len)
{
	return must_ptr(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static void child(void *arg)
{
	char *at = moved;

	/* The same object elsewhere, and only a part of it here. */
	moved = must_ptr(mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	moved = must_ptr(mremap(at, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, moved));
	must(munmap(moved + LEN / 2, LEN / 2));
	pattern_fill(by_child, LEN, 5);
	must_ptr(mmap(replaced, LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	pattern_fill(replaced, LEN, 7);
	event_add(turn);
	checkpoint_wait();
	check(pattern_ok(moved, LEN / 2, 1));
	pattern_fill(moved + PAGE, 50, 21);
	pattern_fill(holes, 50, 22);
	pattern_fill(sparse + giant / 2, 50, 23);
	check(pattern_ok(replaced, LEN, 7));
	event_add(turn);
	(void)arg;
}

static void *map_again(const char *p, size_t len)
{
	char path[96];
	void *ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (long)p, (long)(p + len));
	fd = open(path, O_RDWR);
	if (fd < 0)
		return NULL; /* not permitted everywhere */
	ret = must_ptr(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	must(close(fd));
	return ret;
}

int main(void)
{
	turn = shared(PAGE);
	moved = shared(LEN);
	holes = shared(LEN);
	middle = shared(LEN);
	sparse = shared(giant);
	by_child = shared(LEN);
	replaced = shared(LEN);
	pattern_fill(moved, LEN, 1);
	pattern_fill(holes, LEN, 2);
	pattern_fill(middle, LEN, 3);
	pattern_fill(sparse + giant - PAGE, PAGE, 4);
	pattern_fill(replaced, LEN, 6);
	again = map_again(replaced, LEN);
	task_run(child, NULL);
	must(munmap(holes + 8 * PAGE, 16 * PAGE));
	must(mprotect(holes + 40 * PAGE, PAGE, PROT_READ));
	must(munmap(middle, 20 * PAGE) | munmap(middle + 30 * PAGE, 34 * PAGE));
	event_wait(turn, 1);
	checkpoint();
	event_wait(turn, 2);
	check(pattern_ok(moved + PAGE, 50, 21) && pattern_ok(holes, 50, 22) &&
	      pattern_ok(sparse + giant / 2, 50, 23));
	check(pattern_ok(sparse + giant - PAGE, PAGE, 4) && !sparse[giant / 4]);
	check(pattern_ok(by_child, LEN, 5) && pattern_ok(replaced, LEN, 6));
	if (again) {
		pattern_fill(replaced, 50, 24);
		check(pattern_ok(again, 50, 24));
	}
	/* What is behind the mapped piece is in the object. */
	middle = mremap(middle + 20 * PAGE, 10 * PAGE, 44 * PAGE, MREMAP_MAYMOVE);
	check(middle != MAP_FAILED);
	holes = mremap(holes, 8 * PAGE, LEN, MREMAP_MAYMOVE);
	check(holes != MAP_FAILED && !memcmp(holes + 63 * PAGE, holes + 63 * PAGE, PAGE));
	return test_end();
}
