#pragma once
#include <stdint.h>
#include <sys/resource.h>

#include "base/str.h"

#define PROC_LIMITS 16

/* /proc/PID/limits, by RLIMIT_ number. Readable without the privileges that prlimit(2) needs. */
struct proc_limits {
	struct rlimit64 v[PROC_LIMITS]; /* RLIM64_INFINITY: unlimited */
};

/* 0 or -EINVAL; all 16 must be there. */
int proc_limits_parse(struct span text, struct proc_limits *ret);
