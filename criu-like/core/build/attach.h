#pragma once
#include "core/restore.h"

/*
 * The end of a restore. The coordinator attaches to every thread while they wait at a barrier, and
 * once all have parked gives them their registers, removes the area, and lets all go at once.
 */
int attach_sibling(struct restore *r);  /* a root that is not our child */
int attach_all(struct restore *r);      /* PTRACE_O_EXITKILL from here to the commit */
int attach_stop_all(struct restore *r); /* they are parked: stop them */
int attach_finish(struct restore *r);   /* area unmapped, registers, vector state, masks */
int attach_release(struct restore *r);  /* the commit: no more EXITKILL, all run (or stop) */
/* After a failure: kills and reaps everything that was born. */
void attach_kill_all(struct restore *r);

/* One stopped thread, for what has to be done by letting it make a call. */
struct user_regs_struct;
int attach_get_regs(pid_t tid, struct user_regs_struct *ret);
int attach_set_regs(pid_t tid, const void *regs, size_t len);
int attach_to_syscall_stop(pid_t tid);
int attach_to_interrupt_stop(pid_t tid);
