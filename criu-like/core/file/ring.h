#pragma once
#include "core/dump.h"
#include "kernel/proc-fdinfo.h"

/*
 * Rings of io_uring that the look before the freeze has met, and what their tasks say about them
 * from inside: some answer to nobody but the thread that made them.
 */
struct ring {
	pid_t pid;  /* the process that has it ... */
	int number; /* ... under this number */
	pid_t maker;	   /* the thread to which it answers alone; 0: not known */
	bool is_plain;	   /* nothing is registered with it that has no way back */
};
struct rings {
	VEC(struct ring) v;
};
void ring_note(struct dump *d, pid_t pid, int number);
/* NULL: none. */
struct ring *ring_find(const struct dump *d, pid_t pid, int number);

/* What fdinfo says about a ring. */
struct ring_info {
	uint32_t sq_entries, cq_entries;
	uint32_t sq_head, sq_tail, cq_head, cq_tail; /* what program and kernel show each other */
	uint32_t cached_sq_head, cached_cq_tail;     /* what the kernel goes by */
	bool polls, overflow, sq_thread, napi;
};
/* -EAGAIN: the ring is in use at this moment, and the kernel tells nothing. */
int ring_info(const struct fdinfo *i, struct ring_info *ret);
