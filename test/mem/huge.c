/*
 * A range for which transparent huge pages were asked: its content, and the advice on it.
 */
#include "test.h"

#include <sys/mman.h>

static const size_t huge_len = 2 << 20;

static char *map_transparent(void)
{
	char *p = must_ptr(mmap(NULL, 4 * huge_len, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *aligned = (char *)(((uintptr_t)p + huge_len - 1) & ~(huge_len - 1));

	must_true(!madvise(aligned, 2 * huge_len, MADV_HUGEPAGE) || errno == EINVAL);
	pattern_fill(aligned, huge_len + 12345, 1);
	return aligned;
}

int main(void)
{
	char *p = map_transparent();

	checkpoint();
	check(pattern_ok(p, huge_len + 12345, 1));
	return test_end();
}
