#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/*
 * Reading /proc/PID/task/TID/status of many stopped threads on another cpu, by a helper, while the
 * caller does something else. NULL where it makes no sense (one cpu, fault injection) or is not
 * possible: then, and wherever the helper has not been, the caller reads itself.
 */
struct status_ahead;

/* Starts the helper, which waits: early, while the caller is small. Up to n threads in all. */
struct status_ahead *status_ahead_new(size_t n);
/*
 * A round: what was read so far is forgotten, the threads that are added are read from the last to
 * the first when it begins. add() yields the thread's place, 0: none.
 */
void status_ahead_forget(struct status_ahead *a);
uint32_t status_ahead_add(struct status_ahead *a, pid_t pid, pid_t tid);
void status_ahead_go(struct status_ahead *a);
/* The text, good until the end, ended by a zero byte; false: the caller has to read. */
bool status_ahead_take(struct status_ahead *a, uint32_t place, struct span *ret);
void status_ahead_free(struct status_ahead *a);
