/* Stopped deep in a recursion: the stack is in use down to its lowest pages. */
/* harness: moves */
#include "test.h"

enum { PAGE = 4096, DEPTH = 500 };

static __attribute__((noinline)) int deep(int depth)
{
	char frame[PAGE];
	int r;

	pattern_fill(frame, sizeof(frame), (uint64_t)depth);
	if (depth)
		r = deep(depth - 1);
	else
		checkpoint(), r = 0;
	return r + !pattern_ok(frame, sizeof(frame), (uint64_t)depth);
}

int main(void)
{
	int wrong = deep(DEPTH);

	check(wrong == 0, "%d frames are not as they were", wrong);
	check(deep(0) == 0);
	return test_end();
}
