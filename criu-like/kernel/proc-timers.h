#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* One POSIX timer of /proc/PID/timers; the file lists the newest first. */
struct proc_timer {
	int32_t id;
	int32_t signo;
	uint64_t value; /* sigval; NULL was printed as "(null)" by old kernels */
	int32_t notify; /* SIGEV_SIGNAL, SIGEV_NONE or SIGEV_THREAD, with SIGEV_THREAD_ID */
	pid_t target;	/* process, or thread with SIGEV_THREAD_ID; 0: not visible to the reader */
	int32_t clock;	/* negative: the processor clock of a process or thread */
};

/* Cuts the next timer off *text: 1, 0 at the end, or -EINVAL. */
int proc_timers_next(struct span *text, struct proc_timer *ret);
