/*
 * Private anonymous memory: patterns, data behind PROT_NONE, read-only and executable ranges,
 * holes, pages that were zeroed again, and a sparse range far larger than the machine's memory.
 */
#include "test.h"

#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 512 };
static const size_t sparse_len = 1ul << 40, sparse_step = (1ul << 40) / 64 - 3 * 4096;

static char *map_filled(size_t len, uint64_t seed)
{
	char *p = must_ptr(
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	pattern_fill(p, len, seed);
	return p;
}

static char *map_sparse(void)
{
	char *p = must_ptr(mmap(NULL, sparse_len, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	must(madvise(p, sparse_len, MADV_NOHUGEPAGE));
	for (size_t at = 0; at < sparse_len; at += sparse_step)
		pattern_fill(p + at, 100, at);
	return p;
}

/* Every third page exists, every sixth holds zeros that were written. */
static char *map_holes(void)
{
	char *p = must_ptr(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < PAGES; i += 3) {
		pattern_fill(p + i * PAGE, PAGE, i);
		if (i % 6 == 0)
			memset(p + i * PAGE, 0, PAGE);
	}
	return p;
}

static void check_holes(const char *p)
{
	static const char zero[PAGE];

	for (int i = 0; i < PAGES; i++) {
		bool ok = i % 3 || i % 6 == 0 ? !memcmp(p + i * PAGE, zero, PAGE)
					      : pattern_ok(p + i * PAGE, PAGE, i);

		check(ok, "page %d", i);
	}
}

int main(void)
{
	char *plain = map_filled(PAGES * PAGE, 1), *none = map_filled(16 * PAGE, 2),
	     *rx = map_filled(16 * PAGE, 3);
	char *split = map_filled(9 * PAGE, 4), *sparse = map_sparse(), *holes = map_holes();

	must(mprotect(none, 16 * PAGE, PROT_NONE));
	must(mprotect(rx, 16 * PAGE, PROT_READ | PROT_EXEC));
	must(munmap(split + 3 * PAGE, PAGE));
	must(mprotect(split + 6 * PAGE, PAGE, PROT_READ));
	checkpoint();
	check(pattern_ok(plain, PAGES * PAGE, 1));
	check(!mprotect(none, 16 * PAGE, PROT_READ) && pattern_ok(none, 16 * PAGE, 2));
	check(pattern_ok(rx, 16 * PAGE, 3));
	check(!mprotect(rx, 16 * PAGE, PROT_READ | PROT_WRITE));
	memset(rx, 1, 16 * PAGE);
	check(msync(split + 3 * PAGE, PAGE, MS_ASYNC) < 0 && errno == ENOMEM);
	check(pattern_ok(split, 3 * PAGE, 4));
	for (size_t at = 0; at < sparse_len; at += sparse_step)
		check(pattern_ok(sparse + at, 100, at), "offset %#zx", at);
	check_holes(holes);
	return test_end();
}
