#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "str.h"

/*
 * Complete reads and writes: short counts and EINTR are handled. 0 or -errno; a read that meets the
 * end of the file early gives -ENODATA. Nothing is logged.
 */
int io_write(int fd, const void *buf, size_t len);
int io_pwrite(int fd, const void *buf, size_t len, uint64_t offset);
int io_read(int fd, void *buf, size_t len);
int io_pread(int fd, void *buf, size_t len, uint64_t offset);

/* Everything from the current position to the end, with a NUL behind it (not counted). */
int io_slurp(struct arena *a, int fd, struct span *ret);
/* The same for a path below dirfd. */
int io_slurp_at(struct arena *a, int dirfd, const char *path, struct span *ret);
