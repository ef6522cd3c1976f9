/*
 * Asynchronous I/O of the kernel: contexts that are empty, have unread events, or whose ring has
 * wrapped around; afterwards each takes the next request and gives the events in order.
 */
/* harness: again=10 cycles=10 */
#include "test.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>

static int file;
static char byte;

static aio_context_t setup(unsigned int n)
{
	aio_context_t c = 0;

	must(syscall(SYS_io_setup, n, &c));
	return c;
}

static long submit(aio_context_t c, uint64_t data)
{
	struct iocb b = {.aio_fildes = (uint32_t)file, .aio_lio_opcode = IOCB_CMD_PREAD,
			 .aio_buf = (uintptr_t)&byte, .aio_nbytes = 1, .aio_data = data,
			 .aio_offset = (int64_t)(data % 7)};

	return syscall(SYS_io_submit, c, 1, (struct iocb *[]){&b});
}

static bool next_is(aio_context_t c, uint64_t data)
{
	struct io_event e = {0};

	return syscall(SYS_io_getevents, c, 0, 1, &e, &(struct timespec){0}) == 1 &&
	       e.data == data && e.res == 1;
}

static bool is_empty(aio_context_t c)
{
	return !syscall(SYS_io_getevents, c, 0, 1, &(struct io_event){0}, &(struct timespec){0});
}

/* Ring words: id, number of slots, head, tail. */
static uint32_t word(aio_context_t c, int i)
{
	return ((volatile uint32_t *)(uintptr_t)c)[i];
}

int main(void)
{
	aio_context_t empty = setup(10), some = setup(200), wrapped = setup(3);
	uint32_t n = word(wrapped, 1), tail;

	file = must(open("data", O_RDWR | O_CREAT | O_EXCL, 0600));
	must(write(file, "0123456789", 10));
	for (uint64_t i = 0; i < 5; i++)
		must(submit(some, 100 + i));
	must_true(next_is(some, 100));
	for (uint64_t i = 0; i < n + 3; i++) {
		must(submit(wrapped, i));
		must_true(i >= n - 2 || next_is(wrapped, i));
	}
	tail = word(wrapped, 3);
	must_true(tail == 3 && word(wrapped, 2) == n - 2);
	checkpoint();
	check(is_empty(empty) && submit(empty, 1) == 1 && next_is(empty, 1) && is_empty(empty));
	for (uint64_t i = 1; i < 5; i++)
		check(next_is(some, 100 + i));
	check(is_empty(some));
	check(word(wrapped, 1) == n && word(wrapped, 2) == n - 2 && word(wrapped, 3) == tail);
	check(submit(wrapped, 999) == 1 && word(wrapped, 3) == tail + 1);
	for (uint64_t i = n - 2; i < n + 3; i++)
		check(next_is(wrapped, i), "event %lu", i);
	check(next_is(wrapped, 999) && is_empty(wrapped) && !syscall(SYS_io_destroy, wrapped));
	check(!unlink("data"));
	return test_end();
}
