/*
 * Tasks that are caught while they map, unmap, move, protect and write: threads that do nothing
 * else, and two tasks that count in shared memory in turn. What one step has written the next one
 * reads back.
 */
/* harness: busy moves */
#include "test.h"

#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 16 };

static uint64_t *shared;

static char *map(char *at)
{
	return must_ptr(mmap(at, PAGES * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0));
}

static void churn(void *arg)
{
	const uint64_t seed = (uintptr_t)arg * 1000000;
	char *p = map(NULL), *other = map(NULL);
	bool ok = true;

	checkpoint_arrive();
	for (uint64_t i = 1; ok && !(checkpoint_passed() && i > 100); i++) {
		map(p);
		pattern_fill(p, PAGES * PAGE, seed + i);
		ok &= !mprotect(p, 4 * PAGE, PROT_READ);
		ok &= mremap(p, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) ==
		      other;
		ok &= pattern_ok(other, PAGES * PAGE, seed + i);
	}
	check(ok);
}

static void count(void *arg)
{
	volatile uint64_t *mine = shared + 512 * (uintptr_t)arg;
	uint64_t last = 0;
	bool ok = true;

	checkpoint_arrive();
	while (ok && !checkpoint_passed()) {
		ok &= mine[0] == last && mine[100] == last;
		last++;
		mine[0] = last;
		mine[100] = last;
	}
	check(ok, "%lu and %lu, not %lu", mine[0], mine[100], last);
}

int main(void)
{
	shared = shared_alloc(16 * PAGE);
	checkpoint_prepare();
	task_run(count, (void *)1);
	task_run(count, (void *)2);
	thread_run(churn, (void *)1);
	checkpoint();
	return test_end();
}
