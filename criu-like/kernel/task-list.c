/*
 * Lists of threads (/proc/PID/task) and of children (/proc/PID/task/TID/children). Neither is a
 * snapshot while the process runs: entries may be missed or be gone; callers list again until a
 * pass finds nothing new. Read through small buffers on the stack: a process may have 10,000
 * threads.
 */
#include "kernel/task-list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "kernel/sys.h"

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static pid_t number(const char *s)
{
	pid_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (*s - '0');
	return n;
}

int task_count_threads(int proc_fd, uint32_t *ret)
{
	struct stat st;
	int r = (int)sys(SYS_newfstatat, proc_fd, "task", &st, 0);

	if (r < 0)
		return r;
	*ret = st.st_nlink < 2 ? 0 : (uint32_t)st.st_nlink - 2;
	return 0;
}

int task_list_threads(struct arena *a, int proc_fd, struct pid_list *ret)
{
	_Alignas(8) char buf[8192];
	_close_ int fd =
		(int)sys(SYS_openat, proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long n;

	if (fd < 0)
		return fd;
	while ((n = sys(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *e = (const struct dirent64 *)(buf + at);

			if (e->name[0] != '.')
				*vec_push(a, ret) = number(e->name);
			at += e->len;
		}
	return (int)n;
}

int task_list_children(struct arena *a, int proc_fd, pid_t tid, struct pid_list *ret)
{
	char buf[1024], path[40];
	pid_t pid = 0;
	_close_ int fd = -1;
	long n;

	(void)snprintf(path, sizeof(path), "task/%d/children", tid); /* always fits */
	fd = (int)sys(SYS_openat, proc_fd, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	while ((n = sys(SYS_read, fd, buf, sizeof(buf))) > 0)
		for (long i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (buf[i] - '0');
				continue;
			}
			if (pid)
				*vec_push(a, ret) = pid;
			pid = 0;
		}
	return (int)n;
}
