#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Signals of the calling process. Sets are 64 bits, signal n is bit n - 1. */
#define SIGNAL_BIT(n) (1ull << ((n)-1))

/* Replaces the mask of the calling thread, or adds to it. 0; -errno only by fault injection. */
int signal_set_mask(uint64_t mask);
int signal_block(uint64_t more);
void signal_ignore(int sig);
void signal_default(int sig);
/*
 * Dispositions and mask as /proc is to show them of a process that is about to end, and nothing
 * pending on the way there. The handlers of caught signals do not exist. Bit n - 1 is signal n.
 */
int signal_pose(uint64_t blocked, uint64_t ignored, uint64_t caught);
/* No core file from here on. */
void signal_no_core(void);

/*
 * Somebody wants the run to end: SIGINT, SIGTERM, SIGHUP. They are blocked for the whole run, so
 * that nothing happens inside a step, and looked for between steps. Yields the number of one that
 * waits, 0: none. Ignored ones (nohup, background jobs) do not count.
 */
void signal_hold_interrupts(void);
int signal_interrupted(void);

/* Takes the next pending signal of the set, which must be blocked. Yields its number, or -errno. */
int signal_take(uint64_t set, bool *ret_from_terminal);

/* A child (any child for -1) that has ended: its pid, 0 with `now` when none has, or -errno. */
pid_t signal_reap(pid_t pid, bool now, int *ret_status);
