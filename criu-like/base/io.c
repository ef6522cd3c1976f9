/* Complete reads and writes, and whole small files (those of /proc do not tell their size). */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fault.h"
#include "fd.h"

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
			      : pwrite(fd, (const char *)buf + done, len - done, (off_t)(offset + done));

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
	*ret = (struct span){ buf, len };
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
