#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"

/* Numbers: pids or descriptors, ascending where they come from a directory. */
struct proc_list {
	int *v;
	size_t n;
};

/* "12 34 56 " (children), or one a line (cgroup.procs), in the order of the text: 0 or -EINVAL. */
int proc_list_parse(struct arena *a, struct span text, struct proc_list *ret);

/*
 * All names that are numbers in an open directory (/proc/PID/task, /proc/PID/fd, /proc), sorted.
 * Rewinds first: the descriptor may be kept and listed again. 0 or -errno.
 */
int proc_list_dir(struct arena *a, int dir_fd, struct proc_list *ret);
/* The same for a path below dir_fd. */
int proc_list_at(struct arena *a, int dir_fd, const char *path, struct proc_list *ret);
