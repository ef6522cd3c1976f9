/*
 * Directories of /proc whose names are numbers: fd, fdinfo, task, and /proc itself. getdents64 with
 * one large buffer; the kernel lists descriptors in ascending order, tasks and processes too, but
 * nothing promises it.
 */
#include "kernel/numbers.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "base/vec.h"
#include "kernel/sys.h"

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

int numbers_list(struct arena *a, int dirfd, unsigned int **ret, size_t *ret_n)
{
	VEC(unsigned int) list = { 0 };
	char buf[32768];
	long n = sys(SYS_lseek, dirfd, 0, SEEK_SET);

	if (n < 0)
		return (int)n;
	while ((n = sys(SYS_getdents64, dirfd, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *e = (const struct dirent64 *)(buf + at);
			uint32_t number;

			if (!span_u32(span_of(e->d_name), 10, &number))
				*vec_push(a, &list) = number;
			at += e->d_reclen;
		}
	}
	if (n < 0)
		return (int)n;
	if (list.n)
		qsort(list.v, list.n, sizeof(*list.v), compare);
	*ret = list.v;
	*ret_n = list.n;
	return 0;
}
