/* Counters beyond 32 bits, semaphores, flags; one counter that two tasks have. */
#include "test.h"

#include <fcntl.h>
#include <sys/eventfd.h>

static int plain, semaphore;
static uint32_t *turn;

static void child(void *arg)
{
	uint64_t v = 0;

	(void)arg;
	checkpoint_wait();
	check(read(semaphore, &v, 8) == 8 && v == 1, "a semaphore yields 1, got %lu",
	      (unsigned long)v);
	event_add(turn);
}

int main(void)
{
	uint64_t big = 0x1234567890, two = 2, v = 0;

	turn = shared_alloc(4096);
	plain = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	semaphore = must(eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK));
	must(write(plain, &big, 8));
	must(write(semaphore, &two, 8));
	task_run(child, NULL);
	checkpoint();
	event_wait(turn, 1);
	check(read(semaphore, &v, 8) == 8 && v == 1);
	check(read(semaphore, &v, 8) == -1 && errno == EAGAIN, "the counter is common");
	check(read(plain, &v, 8) == 8 && v == big, "got %#lx", (unsigned long)v);
	check(fcntl(plain, F_GETFD) == FD_CLOEXEC && fcntl(plain, F_GETFL) & O_NONBLOCK);
	return test_end();
}
