#pragma once
#include <stdint.h>

#include "core/dump.h"
#include "core/prog.h"

/*
 * Stopping tasks, running programs inside them, letting them go: the only code that ptraces a task
 * that must survive. Whatever happens to the tool, SIGKILL at any instruction included, the tasks
 * go on as if nothing had happened (the recipe and its proofs: docs/decisions/0003-injection.md).
 */

/*
 * Stops root and all descendants, every thread; fills d->tree (tasks in parent-first order, pids,
 * groups, sessions, exit signals, states, threads with status, stat and regs; calls rewound where
 * the table of interrupted calls says so). Bounded by d->opt->timeout_s. On failure everything goes
 * on.
 */
int victim_freeze(struct dump *d);

/*
 * Maps the blob into the address space of t's task if it is not there yet, runs the program in
 * thread t, copies its prog_out data back. One thread of an mm at a time. A failure inside is
 * reported with the label of the operation.
 */
int victim_run(struct dump *d, struct thread *t, struct prog *p);

/*
 * One program in each of many threads: faster than one by one, since threads are taken in the order
 * of the cpus they slept on. Ends at the first failure.
 */
struct victim_job {
	struct thread *thread;
	struct prog *prog;
};
int victim_run_all(struct dump *d, struct victim_job *job, size_t n);

/* ret_look: mappings to come may be locked, and the blob is mapped to look at. */
int victim_lock_future(struct dump *d, const struct task *t, bool *ret_look);

/* Unmaps the blob from the mm of this task again (before its memory is looked at, or at the end).
 */
int victim_withdraw(struct dump *d, struct task *t);
int victim_withdraw_all(struct dump *d);

/* What the kernel told of a thread on the way, so that nobody has to ask again; false: ask. */
struct trace_rseq;
bool victim_rseq(const struct thread *t, struct trace_rseq *ret);
bool victim_dispatch_off(const struct thread *t);

enum victim_end { VICTIM_RESUME, VICTIM_STOP, VICTIM_KILL };
/* Lets all tasks go (also after a failure: resume). KILL waits until the real parent reaped the
 * root. */
int victim_release(struct dump *d, enum victim_end end);

/* Before the freeze, from outside: no such task, kernel thread, own ancestor, traced: blockers. */
int victim_look(struct dump *d);

/* The process' memory as a file, to read and write; stays the engine's. -1: none. */
int victim_memory(const struct dump *d, const struct task *t);

/* The range of the blob in this task's address space (len 0: none); dumps of memory leave it out.
 */
void victim_blob_range(const struct task *t, uint64_t *ret_start, uint64_t *ret_len);
