/*
 * Pages of the huge page pool, private and shared with a child, where the machine has some.
 */
#include "test.h"

#include <sys/mman.h>

static const size_t huge_len = 2 << 20;

static char *map_pool(int flags)
{
	char *p = mmap(NULL, huge_len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_HUGETLB,
		       -1, 0);

	if (p == MAP_FAILED)
		skip("no huge pages in the pool");
	pattern_fill(p, huge_len - 100, 2);
	return p;
}

static void child(void *arg)
{
	checkpoint_wait();
	check(pattern_ok(arg, huge_len - 100, 2));
}

int main(void)
{
	char *shared = map_pool(MAP_SHARED), *private = map_pool(MAP_PRIVATE);

	task_run(child, shared);
	checkpoint();
	check(pattern_ok(private, huge_len - 100, 2) && pattern_ok(shared, huge_len - 100, 2));
	return test_end();
}
