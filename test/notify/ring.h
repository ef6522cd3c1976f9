#pragma once
/* A ring of io_uring without liburing, so that the program's own counters are in plain sight. */
#include "test.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct ring {
	int fd, enter;		    /* the descriptor, and what io_uring_enter is called with */
	unsigned int enter_flags;
	unsigned int tail, head, n; /* the program's copies */
	uint8_t *rings;
	struct io_uring_sqe *sqe;
	struct io_uring_params p;
};

static inline uint32_t *ring_word(struct ring *r, uint32_t at)
{
	return (uint32_t *)(r->rings + at);
}

static inline void ring_make(struct ring *r, unsigned int n, unsigned int flags)
{
	*r = (struct ring){.n = n, .p.flags = flags, .enter_flags = IORING_ENTER_GETEVENTS};
	r->fd = r->enter = (int)syscall(SYS_io_uring_setup, n, &r->p);
	if (r->fd < 0)
		skip("no io_uring: %s", strerror(errno));
	r->rings = must_ptr(mmap(NULL, r->p.sq_off.array + n * 4, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING));
	r->sqe = must_ptr(mmap(NULL, n * sizeof(*r->sqe), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES));
}

static inline struct io_uring_sqe *ring_prepare(struct ring *r, uint8_t opcode, uint64_t data)
{
	unsigned int i = r->tail & (r->n - 1);

	r->sqe[i] = (struct io_uring_sqe){.opcode = opcode, .fd = -1, .user_data = data};
	ring_word(r, r->p.sq_off.array)[i] = i;
	__atomic_store_n(ring_word(r, r->p.sq_off.tail), ++r->tail, __ATOMIC_RELEASE);
	return &r->sqe[i];
}

static inline long ring_submit(struct ring *r, unsigned int n, unsigned int wait)
{
	return syscall(SYS_io_uring_enter, r->enter, n, wait, r->enter_flags, NULL, 0);
}

static inline void ring_expect(struct ring *r, uint64_t data, int result)
{
	unsigned int tail = __atomic_load_n(ring_word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE);
	struct io_uring_cqe *cqe = (void *)(r->rings + r->p.cq_off.cqes);

	cqe += r->head & (r->p.cq_entries - 1);
	check(tail != r->head && cqe->user_data == data && cqe->res == result,
	      "tail %u head %u data %#llx result %d", tail, r->head,
	      (unsigned long long)cqe->user_data, cqe->res);
	__atomic_store_n(ring_word(r, r->p.cq_off.head), ++r->head, __ATOMIC_RELEASE);
}

static inline void ring_use(struct ring *r, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		ring_prepare(r, IORING_OP_NOP, i);
		check(ring_submit(r, 1, 1) == 1);
		ring_expect(r, i, 0);
	}
}
