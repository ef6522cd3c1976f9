#pragma once
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kernel/sys.h"

/* System calls on descriptors and names, typed. All yield a result >= 0 or -errno. */

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027 /* 6.10+ */
#endif
#ifndef O_TMPFILE_BIT
#define O_TMPFILE_BIT 020000000 /* __O_TMPFILE without O_DIRECTORY */
#endif
#ifndef KERNEL_O_LARGEFILE
#define KERNEL_O_LARGEFILE 0100000 /* the kernel's; libc defines it as 0 on 64 bits */
#endif

static inline int sys_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	return (int)sys(SYS_openat, dirfd, path, flags, mode);
}
static inline int sys_close(int fd)
{
	return (int)sys(SYS_close, fd);
}
static inline int sys_dup3(int fd, int number, int flags)
{
	return (int)sys(SYS_dup3, fd, number, flags);
}
static inline int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)sys(SYS_fcntl, fd, cmd, arg);
}
static inline int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return first > last ? 0 : (int)sys(SYS_close_range, first, last, flags);
}
static inline int sys_pidfd_getfd(int pidfd, int number)
{
	return (int)sys(SYS_pidfd_getfd, pidfd, number, 0);
}
static inline long sys_lseek(int fd, long offset, int whence)
{
	return sys(SYS_lseek, fd, offset, whence);
}
static inline int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)sys(SYS_ioctl, fd, request, arg);
}
static inline long sys_read(int fd, void *buf, size_t len)
{
	return sys(SYS_read, fd, buf, len);
}
static inline int sys_unlinkat(int dirfd, const char *path, int flags)
{
	return (int)sys(SYS_unlinkat, dirfd, path, flags);
}

/*
 * stat without asking a file server (a FUSE daemon may be one of the stopped tasks). path "" is the
 * descriptor itself. ret_mnt_id may be NULL.
 */
int sys_stat(int dirfd, const char *path, int flags, struct stat *ret, uint32_t *ret_mnt_id);
/* Order of two open file descriptions, as kcmp(2): 0 same, 1 less, 2 greater. */
int sys_kcmp_file(pid_t tid_a, int fd_a, pid_t tid_b, int fd_b);
/* Target of a link; cut off at size - 1, terminated. Yields the length. */
int sys_readlink(int dirfd, const char *path, char *buf, size_t size);
/* Opens the file behind our own descriptor anew. */
int sys_reopen(int fd, int flags);
