#pragma once
#include <stdbool.h>
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
/*
 * The same of a file of /proc that is one record (status, stat, limits...): the kernel gives it
 * whole, so what is shorter than the buffer needs no second read.
 */
int io_slurp_record(struct arena *a, int dirfd, const char *path, struct span *ret);
int io_slurp_at(struct arena *a, int dirfd, const char *path, struct span *ret);

/* Files of a directory. Descriptors are born O_CLOEXEC. A symlink as the last component: -ELOOP. */
int io_open_at(int dirfd, const char *name, int flags, unsigned int mode, int *ret_fd);
/* A directory; symlinks in its path are followed. */
int io_open_dir(const char *path, int *ret_fd);
int io_mkdir(const char *path, unsigned int mode);
/* The size of a regular file; -EINVAL for anything else. */
int io_size(int fd, uint64_t *ret);
int io_size_at(int dirfd, const char *name, uint64_t *ret);
/* Names in a directory, without . and .., in no order. */
int io_list(struct arena *a, int dirfd, const char *const **ret, size_t *ret_n);
int io_unlink_at(int dirfd, const char *name);
int io_rename_at(int dirfd, const char *from, const char *to);
int io_dup(int fd, int *ret_fd);
int io_memfd(const char *name, int *ret_fd);
/* Closes a written descriptor and yields what close(2) says about its data. */
int io_close(int *fd);
int io_truncate(int fd, uint64_t size);
int io_fsync(int fd);
int io_syncfs(int fd);
/* An exclusive lock on the open file description, without waiting: -EWOULDBLOCK. */
int io_lock(int fd);
/* Whether the name still leads to the file that fd is. */
bool io_same_file(int fd, int dirfd, const char *name);
/* Writes all of iov; the array is used up. */
struct iovec;
int io_writev(int fd, struct iovec *iov, int n_iov);
/* What the kernel calls the file, for messages. */
const char *io_fd_path(struct arena *a, int fd);
