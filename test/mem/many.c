/*
 * Four thousand small mappings that cannot merge: permissions alternate, some have gaps between,
 * all have content.
 */
#include "test.h"

#include <sys/mman.h>

enum { PAGE = 4096, COUNT = 4000 };

int main(void)
{
	const size_t len = (size_t)COUNT * 2 * PAGE;
	char *base = must_ptr(mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	static const int prot[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE,
				   PROT_READ | PROT_EXEC};

	must(munmap(base, len));
	for (size_t i = 0; i < COUNT; i++) {
		char *at = base + i * 2 * PAGE + (i % 3 ? PAGE : 0);

		must_ptr(mmap(at, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
		pattern_fill(at, 64, i);
		must(mprotect(at, PAGE, prot[i % 4]));
	}
	checkpoint();
	for (size_t i = 0; i < COUNT; i++) {
		char *at = base + i * 2 * PAGE + (i % 3 ? PAGE : 0);

		check(!mprotect(at, PAGE, PROT_READ) && pattern_ok(at, 64, i), "mapping %zu", i);
	}
	return test_end();
}
