/*
 * Mappings that grow down beside each other and beside ordinary ones: they neither merge nor grow
 * during a restore, and the one with room below still grows.
 */
#include "test.h"

#include <sys/mman.h>

enum { PAGE = 4096, ROOM = 1024 };

static char *map(char *at, int pages, int flags)
{
	char *p = must_ptr(mmap(at, (size_t)pages * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0));

	for (int i = 0; i < pages; i++)
		pattern_fill(p + i * PAGE, PAGE, (uint64_t)(p - at) + i);
	return p;
}

static void check_map(const char *p, int pages)
{
	for (int i = 0; i < pages; i++)
		check(pattern_ok(p + i * PAGE, PAGE, i), "page %d", i);
}

int main(void)
{
	char *base =
		must_ptr(mmap(NULL, ROOM * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *lower, *upper, *plain_below, *plain_above, *free_below;

	must(munmap(base, ROOM * PAGE));
	plain_above = map(base + 1000 * PAGE, 4, 0);
	upper = map(base + 996 * PAGE, 4, MAP_GROWSDOWN);
	lower = map(base + 992 * PAGE, 4, MAP_GROWSDOWN);
	plain_below = map(base + 988 * PAGE, 4, 0);
	free_below = map(base + 500 * PAGE, 2, MAP_GROWSDOWN);
	must(mprotect(plain_below, PAGE, PROT_READ));
	checkpoint();
	check_map(plain_above, 4);
	check_map(upper, 4);
	check_map(lower, 4);
	check_map(plain_below, 4);
	check_map(free_below, 2);
	for (int i = 1; i < 30; i++)
		free_below[-i * PAGE] = 1;
	check(msync(free_below - 40 * PAGE, PAGE, MS_ASYNC) < 0 && errno == ENOMEM);
	return test_end();
}
