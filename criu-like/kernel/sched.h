#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/sys.h"

/* Scheduling of a thread, seen from outside. All yield a result >= 0 or -errno. */

/* As the kernel knows it since 5.3 (56 bytes); older kernels leave the last two zero. */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* runtime: slice of a normal thread (6.12+) */
	uint32_t util_min, util_max;
};
enum { SCHED_POLICY_DEADLINE = 6, SCHED_POLICY_EXT = 7 };
enum {
	SCHED_RESETS_ON_FORK = 1,
	SCHED_RECLAIM = 2,
	SCHED_DL_OVERRUN = 4,
	SCHED_CLAMP_MIN = 0x20,
	SCHED_CLAMP_MAX = 0x40,
};
enum {
	AFFINITY_BYTES = 1024,
	NUMA_MASK_BYTES = 128
}; /* 8192 cpus, 1024 nodes: the kernel's maxima */

static inline int sys_sched_getattr(pid_t tid, struct sched_attributes *ret)
{
	return (int)sys(SYS_sched_getattr, tid, ret, sizeof(*ret), 0);
}
/* Yields how many bytes were written. */
static inline long sys_sched_getaffinity(pid_t tid, void *mask, size_t len)
{
	return sys(SYS_sched_getaffinity, tid, len, mask);
}
static inline long sys_sched_setaffinity(pid_t tid, const void *mask, size_t len)
{
	return sys(SYS_sched_setaffinity, tid, len, mask);
}
/* -20..19 */
int sched_nice(pid_t tid, int *ret);
static inline long sys_ioprio_get(pid_t tid)
{
	return sys(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, tid);
}
/* Core scheduling (5.14+): 0, also where the kernel has none. */
int sched_core_cookie(pid_t tid, uint64_t *ret);
static inline long sys_get_robust_list(pid_t tid, uint64_t *ret_head, uint64_t *ret_len)
{
	return sys(SYS_get_robust_list, tid, ret_head, ret_len);
}
