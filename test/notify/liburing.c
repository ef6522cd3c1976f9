/*
 * What a program does through liburing: queued reads and writes of a file, linked requests,
 * registered files and buffers, timeouts that ran out, results nobody has taken yet; then the
 * library goes on with its own copies of the counters. A child has one ring, which is registered.
 * Writes go to workers of the kernel, which are listed as threads: no fingerprints.
 */
/* harness: moves */
#include "test.h"

#include <fcntl.h>
#include <liburing.h>

enum { DEPTH = 16, BLOCK = 4096, BLOCKS = 8, ROUNDS = 5 };

static struct io_uring_sqe *next(struct io_uring *ring)
{
	struct io_uring_sqe *s = must_ptr(io_uring_get_sqe(ring));

	s->user_data = 0;
	return s;
}

/* After the library has filled it in, which clears the flags. */
static void finish(struct io_uring_sqe *s, uint64_t data, unsigned int flags)
{
	s->user_data = data;
	s->flags |= flags;
}

static void expect(struct io_uring *ring, uint64_t data, int result)
{
	struct io_uring_cqe *c = NULL;
	int r = io_uring_wait_cqe(ring, &c);

	if (!check(!r && c->user_data == data && c->res == result, "%d, %llu: %d instead of %d", r,
		   c ? (unsigned long long)c->user_data : 0, c ? c->res : 0, result))
		_exit(1);
	io_uring_cqe_seen(ring, c);
}

/* A block is written through the library and read back, each round another place. */
static void write_and_read(struct io_uring *ring, int file, char *block, uint64_t seed)
{
	uint64_t at = seed % BLOCKS * BLOCK;

	pattern_fill(block, BLOCK, seed);
	io_uring_prep_write(next(ring), file, block, BLOCK, at);
	check(io_uring_submit(ring) == 1);
	expect(ring, 0, BLOCK);
	memset(block, 0, BLOCK);
	io_uring_prep_read(next(ring), file, block, BLOCK, at);
	check(io_uring_submit_and_wait(ring, 1) == 1);
	expect(ring, 0, BLOCK);
	check(pattern_ok(block, BLOCK, seed));
}

/* The same by the numbers under which file and memory are registered. */
static void by_number(struct io_uring *ring, char *fixed, uint64_t seed)
{
	struct io_uring_sqe *s = next(ring);

	pattern_fill(fixed, BLOCK, seed);
	io_uring_prep_write_fixed(s, 1, fixed, BLOCK, BLOCKS * BLOCK, 1);
	finish(s, 1, IOSQE_FIXED_FILE | IOSQE_IO_LINK);
	s = next(ring);
	io_uring_prep_read_fixed(s, 1, fixed + BLOCK, BLOCK, BLOCKS * BLOCK, 1);
	finish(s, 2, IOSQE_FIXED_FILE);
	check(io_uring_submit_and_wait(ring, 2) == 2);
	expect(ring, 1, BLOCK);
	expect(ring, 2, BLOCK);
	check(pattern_ok(fixed + BLOCK, BLOCK, seed));
}

static void run_out(struct io_uring *ring, uint64_t data)
{
	struct __kernel_timespec shortly = { 0, 1000 };
	struct io_uring_sqe *s = next(ring);

	io_uring_prep_timeout(s, &shortly, 0, 0);
	finish(s, data, 0);
	check(io_uring_submit_and_wait(ring, 1) == 1);
}

/* Nothing comes: the wait itself ends. */
static void wait_in_vain(struct io_uring *ring)
{
	struct __kernel_timespec shortly = { 0, 1000 };
	struct io_uring_cqe *c;

	check(io_uring_wait_cqe_timeout(ring, &c, &shortly) == -ETIME);
}

static void child(void *arg)
{
	char block[BLOCK];
	int file = must(open("file of the child", O_CREAT | O_RDWR, 0600));
	struct io_uring ring;

	(void)arg;
	must(io_uring_queue_init(DEPTH, &ring, 0));
	must(io_uring_register_ring_fd(&ring));
	write_and_read(&ring, file, block, 1);
	checkpoint_wait();
	for (uint64_t i = 0; i < ROUNDS * DEPTH; i++)
		write_and_read(&ring, file, block, i);
	check(io_uring_unregister_ring_fd(&ring) == 1);
	write_and_read(&ring, file, block, 2);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	int file = must(open("file", O_CREAT | O_RDWR, 0600)), files[] = { -1, file };
	char block[BLOCK], *fixed = must_ptr(aligned_alloc(BLOCK, 3 * BLOCK));
	struct iovec memory[] = { { fixed, 100 }, { fixed, 3 * BLOCK } };
	struct io_uring plain, other;
	int r = io_uring_queue_init(DEPTH, &plain, 0);

	if (r < 0)
		skip("no io_uring: %s", strerror(-r));
	io_uring_queue_exit(&plain);
	task_run(child, NULL);
	must(io_uring_queue_init(DEPTH, &plain, 0));
	must(io_uring_queue_init(DEPTH / 4, &other, 0));
	must(io_uring_register_files(&plain, files, 2));
	must(io_uring_register_buffers(&plain, memory, 2));
	for (uint64_t i = 0; i < ROUNDS * DEPTH; i++) {
		write_and_read(&plain, file, block, i);
		write_and_read(&other, file, block, i);
	}
	by_number(&plain, fixed, 7);
	run_out(&plain, 8);
	expect(&plain, 8, -ETIME);
	run_out(&plain, 9);
	io_uring_prep_nop(next(&plain));
	must(io_uring_submit(&plain));
	io_uring_prep_read(next(&other), file, block, 10, 0); /* prepared, not submitted */
	checkpoint();
	check(io_uring_cq_ready(&plain) == 2, "%u", io_uring_cq_ready(&plain));
	expect(&plain, 9, -ETIME);
	expect(&plain, 0, 0);
	memset(block, 0, BLOCK);
	check(io_uring_submit(&other) == 1);
	expect(&other, 0, 10);
	check(pattern_ok(block, 8, ROUNDS * DEPTH - BLOCKS));
	for (uint64_t i = 0; i < ROUNDS * DEPTH; i++) {
		write_and_read(&plain, file, block, i + 100);
		write_and_read(&other, file, block, i + 200);
	}
	by_number(&plain, fixed, 11);
	run_out(&plain, 12);
	expect(&plain, 12, -ETIME);
	wait_in_vain(&plain);
	wait_in_vain(&other);
	check(!io_uring_unregister_files(&plain) && !io_uring_unregister_buffers(&plain));
	io_uring_queue_exit(&plain);
	io_uring_queue_exit(&other);
	return test_end();
}
