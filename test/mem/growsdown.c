/*
 * Mappings that grow down when touched below their start: the main stack and one made by
 * MAP_GROWSDOWN. Both have grown before and grow on afterwards.
 */
#include "test.h"

#include <sys/mman.h>

enum { PAGE = 4096, FREE = 600 };

/* Uses the stack page by page, as a program does. */
static __attribute__((noinline)) size_t deep(int depth)
{
	volatile char frame[PAGE];

	frame[0] = (char)depth;
	return depth ? deep(depth - 1) + (size_t)frame[0] * 0 + 1 : 0;
}

int main(void)
{
	char *base =
		must_ptr(mmap(NULL, FREE * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *top = base + (FREE - 2) * PAGE, *grown;

	must(munmap(base, FREE * PAGE));
	grown = must_ptr(mmap(top, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1,
			      0));
	for (int i = 0; i < 20; i++)
		pattern_fill(grown - i * PAGE, 64, i);
	must_true(deep(100) == 100);
	checkpoint();
	for (int i = 0; i < 20; i++)
		check(pattern_ok(grown - i * PAGE, 64, i), "page %d", i);
	for (int i = 20; i < 40; i++)
		pattern_fill(grown - i * PAGE, 64, i);
	check(deep(1000) == 1000);
	return test_end();
}
