#pragma once
#include "core/file/file.h"
#include "io_uring.pb-c.h"

/* What fdinfo says about a ring. */
struct uring_info {
	uint32_t sq_entries, cq_entries;
	uint32_t sq_head, sq_tail, cq_head, cq_tail; /* what program and kernel show each other */
	uint32_t cached_sq_head, cached_cq_tail;     /* what the kernel goes by */
	bool polls, overflow, sq_thread, napi;
};
/* -EAGAIN: the ring is in use at this moment, and the kernel tells nothing. */
int uring_info(const struct fdinfo *i, struct uring_info *ret);
/* Registered buffers and files. */
int uring_registered(struct dump *d, struct fd_probe *p, IoUring *m);
/*
 * The flags it was made with, as far as they change what it does; refuses what has no way back,
 * among it rings of buffers with a group below `groups`: each costs a call.
 */
enum { URING_ALL_GROUPS = 65536, URING_FEW_GROUPS = 64 };
int uring_flags(struct dump *d, struct fd_probe *p, uint32_t groups, uint32_t *ret_flags);
/* What both sides share: sizes and content. Adds URING_NO_SQARRAY to the flags. */
int uring_memory(struct dump *d, struct fd_probe *p, IoUring *m);
