#pragma once
#include "core/file/file.h"
#include "core/file/ring.h"
#include "io_uring.pb-c.h"

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
