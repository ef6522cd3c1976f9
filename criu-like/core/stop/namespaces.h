#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/dump.h"

enum { NAMESPACES = 8 };

/* The tool's own: user mnt pid net ipc uts cgroup time, as inode numbers. 0 where the kernel has
 * none. */
int namespaces_own(struct arena *a, uint64_t ret[NAMESPACES]);
/*
 * Compares those of a thread (of the process whose /proc directory is open) with the tool's; what
 * differs is a blocker. A thread that ended meanwhile is none. Without `whole` only those are
 * compared that a thread can have of its own.
 */
int namespaces_look(struct dump *d, int proc_fd, pid_t pid, pid_t tid, bool whole);
