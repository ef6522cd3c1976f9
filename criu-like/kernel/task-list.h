#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/vec.h"

struct pid_list {
	pid_t *v;
	size_t n, cap;
};

/* Threads of a process (fd: its /proc directory), appended in ascending order. 0 or -errno. */
int task_list_threads(struct arena *a, int proc_fd, struct pid_list *ret);
/* How many entries the list of threads has: the dead whom nobody has reaped included. */
int task_count_threads(int proc_fd, uint32_t *ret);
/* Processes that this thread made (CONFIG_PROC_CHILDREN). -ESRCH or -ENOENT: the thread is gone. */
int task_list_children(struct arena *a, int proc_fd, pid_t tid, struct pid_list *ret);
