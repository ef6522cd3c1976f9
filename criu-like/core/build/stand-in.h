#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/restore.h"

/*
 * A short-lived process with a chosen pid (0: any) and user and group (-1: the tool's) that shares
 * the descriptor table of the caller and runs one function, which yields a wait status to die with
 * (of exit) or -errno. Signals stay blocked. Meanwhile `during` is called in the caller, if given.
 */
struct stand_in {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	const uint32_t *group; /* supplementary groups, if set_groups */
	size_t n_group;
	bool set_groups;
	int exit_code;			     /* the code it ends with */
	int (*inside)(void *arg);	     /* in the process; 0 or -errno */
	int (*during)(void *arg, pid_t pid); /* in the caller, while it exists */
	void *arg; /* memory that both see when `inside` is to tell something */
};
/* 0 or -errno; reported. The process is reaped. */
int stand_in_run(const struct stand_in *s);

/* One that only exists, in /proc, until it is ended. 0 or -errno; reported. */
int stand_in_start(pid_t pid);
void stand_in_end(pid_t pid);
