/*
 * System calls on descriptors that need more than passing arguments on.
 *
 * statx() with AT_STATX_DONT_SYNC answers from what the kernel knows: a plain stat of a file on
 * FUSE or on a network file system may wait for a server that is stopped or gone. The mount id it
 * yields is the one of mountinfo and fdinfo (5.8+).
 */
#include "kernel/descriptor.h"

#include <linux/kcmp.h>
#include <stdio.h>

static void from_statx(const struct statx *x, struct stat *ret)
{
	*ret = (struct stat){
		.st_dev = makedev(x->stx_dev_major, x->stx_dev_minor),
		.st_ino = x->stx_ino,
		.st_nlink = x->stx_nlink,
		.st_mode = x->stx_mode,
		.st_uid = x->stx_uid,
		.st_gid = x->stx_gid,
		.st_rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor),
		.st_size = (off_t)x->stx_size,
		.st_blksize = x->stx_blksize,
		.st_blocks = (blkcnt_t)x->stx_blocks,
		.st_atim = { x->stx_atime.tv_sec, x->stx_atime.tv_nsec },
		.st_mtim = { x->stx_mtime.tv_sec, x->stx_mtime.tv_nsec },
		.st_ctim = { x->stx_ctime.tv_sec, x->stx_ctime.tv_nsec },
	};
}

int sys_stat(int dirfd, const char *path, int flags, struct stat *ret, uint32_t *ret_mnt_id)
{
	const unsigned int mask = STATX_BASIC_STATS | 0x1000; /* STATX_MNT_ID */
	struct statx x;
	int r = (int)sys(SYS_statx, dirfd, path,
			 flags | (*path ? 0 : AT_EMPTY_PATH) | AT_STATX_DONT_SYNC, mask, &x);

	if (r)
		return r;
	from_statx(&x, ret);
	if (ret_mnt_id)
		*ret_mnt_id = x.stx_mask & 0x1000 ? (uint32_t)x.stx_mnt_id : 0;
	return 0;
}

int sys_kcmp_file(pid_t tid_a, int fd_a, pid_t tid_b, int fd_b)
{
	return (int)sys(SYS_kcmp, tid_a, tid_b, KCMP_FILE, fd_a, fd_b);
}

int sys_readlink(int dirfd, const char *path, char *buf, size_t size)
{
	long n = sys(SYS_readlinkat, dirfd, path, buf, size - 1);

	if (n >= 0)
		buf[n] = 0;
	return (int)n;
}

int sys_reopen(int fd, int flags)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* always fits */
	return sys_openat(AT_FDCWD, path, flags | O_CLOEXEC, 0);
}
