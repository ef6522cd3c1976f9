#pragma once
#include "core/dump.h"

struct victim_thread;

/* Before the freeze: notes since when a thread sleeps in a call whose remaining time nobody tells.
 */
void sleep_look(struct dump *d, int proc_fd, pid_t tid);
/* After its stop, if it is still the same sleep: fills slept_ns and sleep_call. */
void sleep_compare(struct dump *d, struct victim_thread *v);
