/*
 * The heap made by brk: content, the exact unaligned end, and that it grows and shrinks from there.
 */
#include "test.h"

#include <sys/syscall.h>

enum { PAGE = 4096, GROW = 37 * PAGE + 123 };

static char *raw_brk(void *to)
{
	return (char *)syscall(SYS_brk, to);
}

int main(void)
{
	char *start = raw_brk(NULL), *end = raw_brk(start + GROW);

	must_true(end == start + GROW);
	pattern_fill(start, GROW, 9);
	checkpoint();
	check(raw_brk(NULL) == end, "%p is not %p", (void *)raw_brk(NULL), (void *)end);
	check(pattern_ok(start, GROW, 9));
	check(raw_brk(end + 5 * PAGE) == end + 5 * PAGE && !end[4 * PAGE]);
	check(raw_brk(start + PAGE) == start + PAGE && pattern_ok(start, PAGE, 9));
	return test_end();
}
