/*
 * Files of one process below /proc.
 *
 * The directory is opened once and everything else by names relative to it: shorter walks, and a
 * directory stays bound to its process, so that reads after its death fail with ESRCH instead of
 * telling about a stranger. Paths in /proc files are escaped in octal, but each file escapes other
 * characters.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "kernel/sys.h"

int proc_open(pid_t pid, struct proc_dir *ret)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d", pid); /* always fits */
	fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	*ret = (struct proc_dir){ fd, pid };
	return 0;
}

void proc_close(struct proc_dir *p)
{
	fd_close(&p->fd);
}

int proc_read(struct arena *a, const struct proc_dir *p, const char *path, struct span *ret)
{
	return io_slurp_at(a, p->fd, path, ret);
}

int proc_read_record(struct arena *a, const struct proc_dir *p, const char *path, struct span *ret)
{
	return io_slurp_record(a, p->fd, path, ret);
}

int proc_link(struct arena *a, const struct proc_dir *p, const char *path, char **ret)
{
	char buf[PATH_MAX + 1];
	long n = sys(SYS_readlinkat, p->fd, path, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (n == sizeof(buf))
		return -ENAMETOOLONG;
	*ret = arena_strndup(a, buf, (size_t)n);
	return 0;
}

/* The character that \ooo at p stands for, or -1 when it is no escape. */
static int escape_at(const char *p, size_t len, const char *escaped)
{
	int c;

	if (len < 4 || p[0] != '\\' || p[1] < '0' || p[1] > '3' || p[2] < '0' || p[2] > '7' ||
	    p[3] < '0' || p[3] > '7')
		return -1;
	c = (p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0');
	return c && strchr(escaped, c) ? c : -1;
}

char *proc_unescape(struct arena *a, struct span s, const char *escaped)
{
	char *out = arena_alloc(a, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; n++) {
		int c = escape_at(s.p + i, s.len - i, escaped);

		out[n] = c < 0 ? s.p[i] : (char)c;
		i += c < 0 ? 1 : 4;
	}
	return out;
}
