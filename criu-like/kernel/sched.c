/*
 * Scheduling attributes that need a word of translation. The raw getpriority system call yields
 * 20 - nice, so that no result is negative; prctl(PR_SCHED_CORE) exists only in kernels built with
 * core scheduling and answers ENODEV where the processor has no sibling threads.
 */
#include "kernel/sched.h"

#include <errno.h>

enum { CORE_SCHED = 62, CORE_GET = 0 };

int sched_nice(pid_t tid, int *ret)
{
	long r = sys(SYS_getpriority, 0 /* PRIO_PROCESS */, tid);

	if (r < 0)
		return (int)r;
	*ret = 20 - (int)r;
	return 0;
}

int sched_core_cookie(pid_t tid, uint64_t *ret)
{
	uint64_t cookie = 0;
	long r = sys(SYS_prctl, CORE_SCHED, CORE_GET, tid, 0, &cookie);

	if (r < 0 && r != -EINVAL && r != -ENODEV)
		return (int)r;
	*ret = r < 0 ? 0 : cookie;
	return 0;
}
