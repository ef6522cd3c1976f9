#pragma once
#include <stdint.h>

#include "base/str.h"

/* /proc/PID/task/TID/sched (CONFIG_SCHED_DEBUG): when a thread ran last, and how often it went to
 * sleep. */
struct proc_sched {
	uint64_t ran_ns;   /* by the scheduler's clock, which only tells differences */
	uint64_t n_sleeps; /* voluntary switches */
};

/* 0, or -EPROTO: malformed, or without these lines. */
int proc_sched_parse(struct span text, struct proc_sched *ret);
