/*
 * Ten gigabytes of which two pages are used, private and shared.
 */
#include "test.h"

#include <sys/mman.h>

int main(void)
{
	const size_t len = 10ul << 30, at[2] = {4096 * 3, (10ul << 30) - 4096};
	char *p[2];

	for (int i = 0; i < 2; i++) {
		p[i] = must_ptr(mmap(NULL, len, PROT_READ | PROT_WRITE,
				     MAP_ANONYMOUS | MAP_NORESERVE | (i ? MAP_SHARED : MAP_PRIVATE),
				     -1, 0));
		must(madvise(p[i], len, MADV_NOHUGEPAGE));
		pattern_fill(p[i] + at[0], 4096, 1 + i);
		pattern_fill(p[i] + at[1], 4096, 3 + i);
	}
	checkpoint();
	for (int i = 0; i < 2; i++) {
		unsigned char there[3] = {0};

		check(pattern_ok(p[i] + at[0], 4096, 1 + i) &&
		      pattern_ok(p[i] + at[1], 4096, 3 + i));
		check(!p[i][5l << 30]);
		check(!mincore(p[i] + (6l << 30), 3 * 4096, there));
		check(!(there[0] & 1) && !(there[1] & 1), "pages that nobody used exist");
	}
	return test_end();
}
