/* An armed poll, cancelled because the operator asked for it: the program finds -ECANCELED. */
/* harness: moves dump=--cancel-requests modes=restore,again,running */
#include "ring.h"

#include <poll.h>

int main(void)
{
	struct io_uring_sqe *s;
	struct ring r;
	int ends[2];

	must(pipe(ends));
	ring_make(&r, 4, 0);
	ring_use(&r, 3);
	s = ring_prepare(&r, IORING_OP_POLL_ADD, 1);
	s->fd = ends[0];
	s->poll32_events = POLLIN;
	must_true(ring_submit(&r, 1, 0) == 1);
	checkpoint();
	check(ring_submit(&r, 0, 1) >= 0);
	ring_expect(&r, 1, -ECANCELED);
	ring_use(&r, 10);
	return test_end();
}
