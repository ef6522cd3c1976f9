/*
 * Twenty thousand mappings of one page in a row, of a file and anonymous in turn.
 */
/* harness: modes=restore */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, COUNT = 20480 };

int main(void)
{
	const size_t len = (size_t)COUNT * PAGE;
	int fd = must(open("file", O_CREAT | O_RDWR, 0600));
	char *base = must_ptr(mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char buf[PAGE];

	pattern_fill(buf, PAGE, 1);
	must_true(write(fd, buf, PAGE) == PAGE);
	for (size_t i = 0; i < COUNT; i += 2) {
		char *at = base + i * PAGE;

		must_ptr(mmap(at, PAGE, PROT_READ | (i % 4 ? 0 : PROT_WRITE),
			      MAP_PRIVATE | MAP_FIXED, fd, 0));
		must(mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE));
		if (i % 128 == 0)
			pattern_fill(at + PAGE, 64, i);
	}
	checkpoint();
	for (size_t i = 0; i < COUNT; i += 2) {
		char *at = base + i * PAGE;

		check(pattern_ok(at, PAGE, 1), "mapping %zu", i);
		check(i % 128 ? !at[PAGE] : pattern_ok(at + PAGE, 64, i), "mapping %zu", i + 1);
	}
	return test_end();
}
