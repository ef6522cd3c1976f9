#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"

/*
 * Files of many processes, read by a helper on another cpu while the caller does something else.
 * NULL where it makes no sense (one cpu, fault injection) or is not possible: then, and whenever it
 * has not got to a file yet, the caller reads itself.
 */
struct read_ahead;

/* Starts the helper, which waits: early, while the caller is small. Up to n files. */
struct read_ahead *read_ahead_new(size_t n);
/* Lets it read /proc/<pid[i]>/<name>, from the last to the first. */
void read_ahead_go(struct read_ahead *a, const pid_t *pid, size_t n, const char *name);
/* The text of file i, whole, good until the end; false: the helper does not read it. */
bool read_ahead_take(struct read_ahead *a, size_t i, struct span *ret);
void read_ahead_free(struct read_ahead *a);
