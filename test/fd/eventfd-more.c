/*
 * Counters: all 64 bits, the largest value, semaphores, blocking and not, one description in two
 * tasks.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

static uint32_t *turn;

static uint64_t taken(int fd)
{
	eventfd_t value = 0;

	check(!eventfd_read(fd, &value), "descriptor %d", fd);
	return value;
}

static void child(void *fd)
{
	checkpoint_wait();
	check(taken((int)(intptr_t)fd) == 1);
	event_add(turn);
}

int main(void)
{
	int wide = must(eventfd(0, EFD_NONBLOCK)), most = must(eventfd(0, EFD_NONBLOCK));
	int sem = must(eventfd(0x70000000, EFD_SEMAPHORE | EFD_CLOEXEC)),
	    none = must(eventfd(0, 0));
	struct pollfd p = {.events = POLLIN | POLLOUT};

	turn = shared_alloc(4096);
	must(eventfd_write(wide, 0x1234567890) | eventfd_write(most, UINT64_MAX - 1));
	must(eventfd_write(sem, 0x7000000000000000));
	task_run(child, (void *)(intptr_t)sem);
	checkpoint();
	event_wait(turn, 1);
	check(taken(wide) == 0x1234567890);
	check(eventfd_write(most, 1) < 0 && errno == EAGAIN && taken(most) == UINT64_MAX - 1);
	check(fcntl(sem, F_GETFD) == FD_CLOEXEC && taken(sem) == 1 && taken(sem) == 1);
	p.fd = none;
	check(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	check(!(fcntl(none, F_GETFL) & O_NONBLOCK) && !eventfd_write(none, 5) && taken(none) == 5);
	return test_end();
}
