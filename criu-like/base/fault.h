#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * Fault injection, compiled in and off by default. A fault is addressed by (role, task, n): the
 * n-th system call that the tool makes in that role for that task fails with an errno, or the tool
 * kills itself with SIGKILL there. Set by TORPOR_FAULT="role[.task]:n[:errno|:kill]"; with n = 0
 * nothing fires; the number of calls per role is printed on exit ("fault: role calls"), and the n
 * of the first call of every place in the code ("fault: place role n number"), for the sweeps.
 */
enum fault_role {
	FAULT_DUMP,    /* coordinator, dump */
	FAULT_VICTIM,  /* coordinator, acting on one stopped task */
	FAULT_RESTORE, /* coordinator, restore */
	FAULT_OPENER,  /* while descriptors are being opened */
	FAULT_NS,      /* helper inside a namespace */
	FAULT_SELF,    /* forked task before the blob */
	FAULT_PROG,    /* operation n of a program, counted on the host while it is built */
	FAULT_ROLES
};

/* Reads the specification (may be NULL: off). 0 or -EINVAL. */
int fault_setup(const char *spec);
bool fault_armed(void);
/* In a process that must come to its end: no fault meets it. */
void fault_off(void);
/* Enters a role; yields the previous one for fault_leave(). task < 0: no single task. */
struct fault_place {
	enum fault_role role;
	int task;
};
struct fault_place fault_enter(enum fault_role role, int task);
void fault_leave(struct fault_place previous);
/* Called before each system call: 0, or -errno to be returned instead of making it. */
int fault_check(void);
/* For programs: whether operation `op` of the task's program is to fail; yields the errno, -1 if
 * the task shall end there, or 0. */
int fault_operation(int task, uint32_t op);
/* Writes the counters when they were asked for. */
void fault_report(void);
