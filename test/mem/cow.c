/*
 * Copy on write between relatives over three generations: pages still common to all, pages written
 * by one, pages made after the fork. Every task sees its own; that the common ones are common again
 * is compared by the fingerprint.
 * harness: cycles=10 again=10
 */
#include "test.h"

#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 96 };

static char *pages;

/* Which seed page i has in generation g: each generation rewrites the pages whose number is g
 * modulo 4. */
static uint64_t seed(int i, int g)
{
	for (; g > 0; g--)
		if (i % 4 == g)
			return 1000 * g + i;
	return i;
}

static void generation(void *arg)
{
	long g = (long)arg;

	for (int i = 0; i < PAGES; i++)
		if (g && i % 4 == g)
			pattern_fill(pages + i * PAGE, PAGE, seed(i, g));
	if (g < 3) {
		task_run(generation, (void *)(g + 1));
		task_run(generation, (void *)(g + 1));
	}
	checkpoint_wait();
	for (int i = 0; i < PAGES; i++)
		check(pattern_ok(pages + i * PAGE, PAGE, seed(i, g)), "generation %ld page %d", g,
		      i);
	memset(pages, 0x55 + g, PAGES * PAGE);
}

int main(void)
{
	pages = must_ptr(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (int i = 0; i < PAGES; i++)
		pattern_fill(pages + i * PAGE, PAGE, seed(i, 0));
	task_run(generation, (void *)0L);
	checkpoint();
	for (int i = 0; i < PAGES; i++)
		check(pattern_ok(pages + i * PAGE, PAGE, seed(i, 0)), "root, page %d", i);
	return test_end();
}
