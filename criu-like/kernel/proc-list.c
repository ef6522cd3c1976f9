/*
 * Lists of pids and descriptors: texts of numbers, and directories named by numbers.
 *
 * Directories are read with getdents64 into a large buffer (1,000 names a call) without a stream or
 * a stat for each. The kernel lists task/ by birth and fd/ by number, so sorting is mostly a check.
 * task/ may miss a thread born meanwhile: whoever needs all lists until a pass adds nothing.
 * children (CONFIG_PROC_CHILDREN) is exact for stopped tasks only.
 */
#include "proc-list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"
#include "kernel/sys.h"

typedef VEC(int) int_vec;

static int parse_number(struct span s, int *ret)
{
	uint32_t v;

	if (span_u32(s, 10, &v) || v > INT_MAX)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

int proc_list_parse(struct arena *a, struct span text, struct proc_list *ret)
{
	int_vec list = {};
	struct span line, w;

	while (span_line(&text, &line))
		while (span_word(&line, &w)) {
			int v;

			if (parse_number(w, &v))
				return -EINVAL;
			*(int *)vec_push(a, &list) = v;
		}
	*ret = (struct proc_list){ list.v, list.n };
	return 0;
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void sort(int_vec *list)
{
	for (size_t i = 1; i < list->n; i++)
		if (list->v[i - 1] > list->v[i]) {
			vec_sort(list, compare);
			return;
		}
}

static void add_names(struct arena *a, const char *buf, size_t len, int_vec *list)
{
	size_t at = 0;

	while (at < len) {
		const struct dirent64 *d = (const void *)(buf + at);
		int v;

		if (!parse_number(span_of(d->d_name), &v))
			*(int *)vec_push(a, list) = v;
		at += d->d_reclen;
	}
}

int proc_list_dir(struct arena *a, int dir_fd, struct proc_list *ret)
{
	_Alignas(struct dirent64) char buf[32768];
	int_vec list = {};
	long n = sys(SYS_lseek, dir_fd, 0, SEEK_SET);

	if (n < 0)
		return (int)n;
	while ((n = sys(SYS_getdents64, dir_fd, buf, sizeof(buf))) > 0)
		add_names(a, buf, (size_t)n, &list);
	if (n < 0)
		return (int)n;
	sort(&list);
	*ret = (struct proc_list){ list.v, list.n };
	return 0;
}

int proc_list_at(struct arena *a, int dir_fd, const char *path, struct proc_list *ret)
{
	_close_ int fd = (int)sys(SYS_openat, dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fd : proc_list_dir(a, fd, ret);
}
