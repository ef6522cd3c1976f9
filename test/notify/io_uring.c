/*
 * Idle rings of io_uring: counters that went round several times, completions nobody has taken,
 * requests that were prepared and not submitted, registered files and buffers, a ring that a child
 * shares. Without liburing, so that the program's own copies of the counters are in plain sight.
 */
#include "ring.h"

#include <fcntl.h>

static struct ring plain, shared, fresh;

static void child(void *arg)
{
	(void)arg;
	checkpoint_wait();
	ring_expect(&shared, 77, 0);
	ring_prepare(&shared, IORING_OP_NOP, 78);
	check(ring_submit(&shared, 1, 1) == 1);
	ring_expect(&shared, 78, 0);
}

int main(void)
{
	int file = must(open("file", O_CREAT | O_RDWR, 0600)), files[2] = {-1, file};
	char *buffer = must_ptr(mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct iovec iov[2] = {{buffer, 4096}, {buffer + 4096, 100}};
	struct io_uring_sqe *s;

	must(write(file, "content", 7));
	ring_make(&plain, 8, 0);
	ring_make(&shared, 4, 0);
	ring_make(&fresh, 64, 0);
	ring_use(&plain, 1003);
	ring_use(&shared, 6);
	ring_use(&fresh, 2);
	must(syscall(SYS_io_uring_register, plain.fd, IORING_REGISTER_FILES, files, 2));
	must(syscall(SYS_io_uring_register, plain.fd, IORING_REGISTER_BUFFERS, iov, 2));
	ring_prepare(&plain, IORING_OP_NOP, 500); /* its completion stays */
	must_true(ring_submit(&plain, 1, 1) == 1);
	s = ring_prepare(&plain, IORING_OP_READ_FIXED, 501); /* stays where it is */
	s->fd = 1;
	s->flags = IOSQE_FIXED_FILE;
	s->addr = (uintptr_t)(buffer + 4096);
	s->len = 100;
	s->buf_index = 1;
	ring_prepare(&shared, IORING_OP_NOP, 77);
	must_true(ring_submit(&shared, 1, 1) == 1);
	task_run(child, NULL);
	must(close(must(dup(shared.fd))));
	checkpoint();
	ring_expect(&plain, 500, 0);
	check(ring_submit(&plain, 1, 1) == 1);
	ring_expect(&plain, 501, 7);
	check(!memcmp(buffer + 4096, "content", 8));
	ring_use(&plain, 20);
	ring_use(&fresh, 200);
	return test_end();
}
