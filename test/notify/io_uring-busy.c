/* A ring with an armed poll: its request lives in the kernel only. */
/* harness: refused */
#include "ring.h"

#include <poll.h>

int main(void)
{
	struct io_uring_sqe *s;
	struct ring r;
	int ends[2];

	must(pipe(ends));
	ring_make(&r, 4, 0);
	s = ring_prepare(&r, IORING_OP_POLL_ADD, 1);
	s->fd = ends[0];
	s->poll32_events = POLLIN;
	must_true(ring_submit(&r, 1, 0) == 1);
	checkpoint();
	check(write(ends[1], "x", 1) == 1);
	check(ring_submit(&r, 0, 1) >= 0);
	ring_expect(&r, 1, POLLIN);
	return test_end();
}
