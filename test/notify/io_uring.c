/*
 * Idle rings of io_uring: counters that went round several times, completions nobody has taken,
 * requests that were prepared and not submitted, registered files and buffers, a ring that a child
 * shares. Without liburing, so that the program's own copies of the counters are in plain sight.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct ring {
	int fd;
	unsigned int tail, head, n; /* the program's copies */
	uint8_t *rings;
	struct io_uring_sqe *sqe;
	struct io_uring_params p;
};

static uint32_t *word(struct ring *r, uint32_t at)
{
	return (uint32_t *)(r->rings + at);
}

static void make(struct ring *r, unsigned int n, unsigned int flags)
{
	*r = (struct ring){.n = n, .p.flags = flags};
	r->fd = (int)syscall(SYS_io_uring_setup, n, &r->p);
	if (r->fd < 0)
		skip("no io_uring: %s", strerror(errno));
	r->rings = must_ptr(mmap(NULL, r->p.sq_off.array + n * 4, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING));
	r->sqe = must_ptr(mmap(NULL, n * sizeof(*r->sqe), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES));
}

static struct io_uring_sqe *prepare(struct ring *r, uint8_t opcode, uint64_t data)
{
	unsigned int i = r->tail & (r->n - 1);

	r->sqe[i] = (struct io_uring_sqe){.opcode = opcode, .fd = -1, .user_data = data};
	word(r, r->p.sq_off.array)[i] = i;
	__atomic_store_n(word(r, r->p.sq_off.tail), ++r->tail, __ATOMIC_RELEASE);
	return &r->sqe[i];
}

static long submit(struct ring *r, unsigned int n)
{
	return syscall(SYS_io_uring_enter, r->fd, n, n, IORING_ENTER_GETEVENTS, NULL, 0);
}

static void expect(struct ring *r, uint64_t data, int result)
{
	unsigned int tail = __atomic_load_n(word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE);
	struct io_uring_cqe *cqe = (void *)(r->rings + r->p.cq_off.cqes);

	cqe += r->head & (r->p.cq_entries - 1);
	check(tail != r->head && cqe->user_data == data && cqe->res == result,
	      "tail %u head %u data %#llx result %d", tail, r->head,
	      (unsigned long long)cqe->user_data, cqe->res);
	__atomic_store_n(word(r, r->p.cq_off.head), ++r->head, __ATOMIC_RELEASE);
}

static void use(struct ring *r, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		prepare(r, IORING_OP_NOP, i);
		must_true(submit(r, 1) == 1);
		expect(r, i, 0);
	}
}

static struct ring plain, shared, fresh;

static void child(void *arg)
{
	(void)arg;
	checkpoint_wait();
	expect(&shared, 77, 0);
	prepare(&shared, IORING_OP_NOP, 78);
	check(submit(&shared, 1) == 1);
	expect(&shared, 78, 0);
}

int main(void)
{
	int file = must(open("file", O_CREAT | O_RDWR, 0600)), files[2] = {-1, file};
	char *buffer = must_ptr(mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct iovec iov[2] = {{buffer, 4096}, {buffer + 4096, 100}};
	struct io_uring_sqe *s;

	must(write(file, "content", 7));
	make(&plain, 8, 0);
	make(&shared, 4, 0);
	make(&fresh, 64, 0);
	use(&plain, 1003);
	use(&shared, 6);
	use(&fresh, 2);
	must(syscall(SYS_io_uring_register, plain.fd, IORING_REGISTER_FILES, files, 2));
	must(syscall(SYS_io_uring_register, plain.fd, IORING_REGISTER_BUFFERS, iov, 2));
	prepare(&plain, IORING_OP_NOP, 500); /* its completion stays */
	must_true(submit(&plain, 1) == 1);
	s = prepare(&plain, IORING_OP_READ_FIXED, 501); /* stays where it is */
	s->fd = 1;
	s->flags = IOSQE_FIXED_FILE;
	s->addr = (uintptr_t)(buffer + 4096);
	s->len = 100;
	s->buf_index = 1;
	prepare(&shared, IORING_OP_NOP, 77);
	must_true(submit(&shared, 1) == 1);
	task_run(child, NULL);
	must(close(must(dup(shared.fd))));
	checkpoint();
	expect(&plain, 500, 0);
	check(submit(&plain, 1) == 1);
	expect(&plain, 501, 7);
	check(!memcmp(buffer + 4096, "content", 8));
	use(&plain, 20);
	use(&fresh, 200);
	return test_end();
}
