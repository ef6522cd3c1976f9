/*
 * Complete reads and writes, whole small files (those of /proc do not tell their size), and the few
 * calls that the files of a directory need. Nothing is logged: callers know what the file is for.
 * Every call can be made to fail by fault injection.
 */
#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"
#include "fd.h"
#include "vec.h"

int io_write(int fd, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		int r = fault_check();
		ssize_t n = r ? (errno = -r, -1) : write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int io_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	for (size_t done = 0; done < len;) {
		int r = fault_check();
		ssize_t n = r ? (errno = -r, -1)
			      : pwrite(fd, (const char *)buf + done, len - done,
				       (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int io_read(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		int r = fault_check();
		ssize_t n = r ? (errno = -r, -1) : read(fd, (char *)buf + done, len - done);

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int io_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	for (size_t done = 0; done < len;) {
		int r = fault_check();
		ssize_t n = r ? (errno = -r, -1)
			      : pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int io_slurp(struct arena *a, int fd, struct span *ret)
{
	size_t cap = 4096, len = 0;
	char *buf = arena_alloc(a, cap);

	for (;;) {
		int r = fault_check();
		ssize_t n = r ? (errno = -r, -1) : read(fd, buf + len, cap - len - 1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
		if (cap - len <= 1024) { /* /proc gives one page a call: keep room for it */
			buf = arena_grow(a, buf, len, cap * 2);
			cap *= 2;
		}
	}
	buf[len] = 0;
	arena_shrink(a, buf, cap, len + 1);
	*ret = (struct span){ buf, len };
	return 0;
}

int io_slurp_record(struct arena *a, int dirfd, const char *path, struct span *ret)
{
	size_t cap = 4096;
	char *buf = arena_alloc(a, cap);
	int r = fault_check();
	_close_ int fd = r ? -1 : openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (r || fd < 0)
		return r ? r : -errno;
	r = fault_check();
	n = r ? -1 : read(fd, buf, cap - 1);
	if (n < 0)
		return r ? r : -errno;
	if ((size_t)n == cap - 1)
		return io_slurp_at(a, dirfd, path, ret);
	arena_shrink(a, buf, cap, (size_t)n + 1);
	*ret = (struct span){ buf, (size_t)n };
	return 0;
}

int io_slurp_at(struct arena *a, int dirfd, const char *path, struct span *ret)
{
	int r = fault_check();
	_close_ int fd = r ? -1 : openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (r)
		return r;
	return fd < 0 ? -errno : io_slurp(a, fd, ret);
}

int io_open_at(int dirfd, const char *name, int flags, unsigned int mode, int *ret_fd)
{
	int r = fault_check();
	int fd = r ? -1 : openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);

	if (r || fd < 0)
		return r ? r : -errno;
	*ret_fd = fd;
	return 0;
}

int io_open_dir(const char *path, int *ret_fd)
{
	int r = fault_check();
	int fd = r ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (r || fd < 0)
		return r ? r : -errno;
	*ret_fd = fd;
	return 0;
}

int io_mkdir(const char *path, unsigned int mode)
{
	int r = fault_check();

	return r ? r : mkdir(path, mode) ? -errno : 0;
}

int io_size(int fd, uint64_t *ret)
{
	int r = fault_check();
	struct stat st;

	if (r || fstat(fd, &st))
		return r ? r : -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret = (uint64_t)st.st_size;
	return 0;
}

int io_size_at(int dirfd, const char *name, uint64_t *ret)
{
	int r = fault_check();
	struct stat st;

	if (r || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return r ? r : -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret = (uint64_t)st.st_size;
	return 0;
}

static void dir_close(DIR **d)
{
	if (*d)
		(void)closedir(*d); /* only read from */
}

int io_list(struct arena *a, int dirfd, const char *const **ret, size_t *ret_n)
{
	VEC(const char *) names = { 0 };
	int r = fault_check();
	/* A description of its own: the caller's keeps its position. */
	_close_ int fd = r ? -1 : openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(dir_close))) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return r ? r : -errno;
	fd = -1; /* the stream closes it */
	while (errno = 0, (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			*vec_push(a, &names) = arena_strdup(a, e->d_name);
	if (errno)
		return -errno;
	*ret = names.v;
	*ret_n = names.n;
	return 0;
}

int io_unlink_at(int dirfd, const char *name)
{
	int r = fault_check();

	return r ? r : unlinkat(dirfd, name, 0) ? -errno : 0;
}

int io_rename_at(int dirfd, const char *from, const char *to)
{
	int r = fault_check();

	return r ? r : renameat(dirfd, from, dirfd, to) ? -errno : 0;
}

int io_dup(int fd, int *ret_fd)
{
	int r = fault_check();
	int n = r ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (r || n < 0)
		return r ? r : -errno;
	*ret_fd = n;
	return 0;
}

int io_memfd(const char *name, int *ret_fd)
{
	int r = fault_check();
	int fd = r ? -1 : memfd_create(name, MFD_CLOEXEC);

	if (r || fd < 0)
		return r ? r : -errno;
	*ret_fd = fd;
	return 0;
}

int io_close(int *fd)
{
	int r = fault_check();
	int n = close(take_fd(fd)); /* released in any case, also after EINTR */

	return r ? r : n && errno != EINTR ? -errno : 0;
}

int io_truncate(int fd, uint64_t size)
{
	int r = fault_check();

	return r ? r : ftruncate(fd, (off_t)size) ? -errno : 0;
}

int io_fsync(int fd)
{
	int r = fault_check();

	return r ? r : fsync(fd) ? -errno : 0;
}

int io_syncfs(int fd)
{
	int r = fault_check();

	return r ? r : syncfs(fd) ? -errno : 0;
}

int io_lock(int fd)
{
	int r = fault_check();

	return r ? r : flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

bool io_same_file(int fd, int dirfd, const char *name)
{
	struct stat a, b;

	return !fstat(fd, &a) && !fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int io_writev(int fd, struct iovec *iov, int n_iov)
{
	while (n_iov) {
		int r = fault_check();
		ssize_t n = r ? (errno = -r, -1) : writev(fd, iov, n_iov);
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0 && errno != EINTR)
			return -errno;
		for (; n_iov && left >= iov->iov_len; n_iov--)
			left -= (iov++)->iov_len;
		if (n_iov) {
			iov->iov_base = (char *)iov->iov_base + left;
			iov->iov_len -= left;
		}
	}
	return 0;
}

const char *io_fd_path(struct arena *a, int fd)
{
	char path[4096];
	ssize_t n = readlink(arena_printf(a, "/proc/self/fd/%d", fd), path, sizeof(path));

	return n > 0 ? arena_strndup(a, path, (size_t)n) : arena_printf(a, "descriptor %d", fd);
}
