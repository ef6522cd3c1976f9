/*
 * Rings that only the thread that made them may use (SINGLE_ISSUER, DEFER_TASKRUN), one of the
 * first thread, which has registered it with itself, and one of another process's second thread.
 */
#include "ring.h"

enum { SINGLE_ISSUER = 1 << 12, DEFER_TASKRUN = 1 << 13 };
enum { REGISTER_RING_FDS = 20, ENTER_REGISTERED_RING = 1 << 4 };

static struct ring mine, other;

static void thread(void *arg)
{
	(void)arg;
	ring_make(&other, 32, SINGLE_ISSUER | DEFER_TASKRUN);
	ring_use(&other, 100);
	checkpoint_wait();
	ring_use(&other, 100);
}

static void child(void *arg)
{
	(void)arg;
	thread_run(thread, NULL);
	checkpoint_wait();
	thread_join_all();
}

int main(void)
{
	struct io_uring_rsrc_update u = {.offset = 3};

	task_run(child, NULL);
	ring_make(&mine, 4, SINGLE_ISSUER);
	u.data = (uint64_t)mine.fd;
	must(syscall(SYS_io_uring_register, mine.fd, REGISTER_RING_FDS, &u, 1));
	mine.enter = 3;
	mine.enter_flags |= ENTER_REGISTERED_RING;
	ring_use(&mine, 100);
	checkpoint();
	ring_use(&mine, 100);
	return test_end();
}
