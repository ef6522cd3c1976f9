#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/*
 * /proc/PID/stat or /proc/PID/task/TID/stat. Without permission to look (ptrace access), the kernel
 * writes 0 for addresses and exit_code, and 1 and 0 for start_code and end_code.
 */
struct proc_stat {
	pid_t pid;
	char comm[65]; /* any bytes; 15 for user tasks, kernel threads up to 64 */
	char state;
	pid_t ppid, pgrp, session; /* -1 or 0 when not visible in the reader's pid namespace */
	int32_t tty_nr;		   /* new_encode_dev() of the controlling terminal, 0: none */
	pid_t tpgid;		   /* -1: no terminal */
	uint32_t flags;		   /* PF_x */
	uint64_t utime, stime;	   /* clock ticks */
	int32_t nice;
	uint32_t num_threads;
	uint64_t start_time; /* clock ticks since boot, in the reader's time namespace */
	uint64_t vsize;	     /* bytes */
	uint64_t start_code, end_code, start_stack;
	int32_t exit_signal, processor;
	uint32_t rt_priority, policy;
	uint64_t start_data, end_data, start_brk;
	uint64_t arg_start, arg_end, env_start, env_end;
	int32_t exit_code; /* as wait(2) gives it */
};

/* 0 or -EINVAL. Fields behind the last known one are ignored; all 52 must be there (3.5+). */
int proc_stat_parse(struct span text, struct proc_stat *ret);
