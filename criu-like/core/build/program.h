#pragma once
#include <linux/sched.h>
#include <stdint.h>
#include <stdio.h>

#include "core/restore.h"

/* What the threads of a process share. */
enum {
	THREAD_FLAGS =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM
};

/* The programs of the restored tasks: one per thread, built by the coordinator before the first
 * fork. */
int programs_build(struct restore *r);  /* takes its room in the area: before area_map() */
/*
 * A thread that runs for a while beside the leader whose program is being built: a program of its
 * own, a stack, a number that nobody in the tree has. 0 or -errno; reported. Whoever asks starts it
 * and waits for its end. NULL: there are enough of them, the tasks themselves work side by side.
 */
struct helper {
	struct prog *prog;
	uint64_t stack, stack_bytes; /* in the tasks */
	pid_t tid;
};
int program_helper(struct restore *r, const struct prog *of, struct helper **ret);
int programs_emit(struct restore *r);   /* after area_map() */
/* Offsets in the area. */
uint64_t program_of(const struct restore *r, const struct thread *t);
uint64_t program_stack(const struct restore *r, const struct thread *t);
/* "task 12: map '/x' at 7f...: Cannot allocate memory", from the report page; nothing when it is
 * empty. */
void programs_report_failure(const struct restore *r);
/* What no task needs: it runs the copies in the area. */
const struct arena *programs_arena(const struct restore *r);
void programs_free(struct restore *r); /* may be called at any time, more than once */
void programs_print(const struct restore *r, FILE *out);
