#pragma once
#include <stddef.h>

#include "kernel/proc-maps.h"

enum { PROCMAP_NAME_BYTES = 64 };

/*
 * One mapping by its address, through /proc/PID/maps (PROCMAP_QUERY, 6.11): the one that contains
 * `address`. 0, -ENOENT (there is none), -ENOTTY (an older kernel), or another -errno. The path is
 * in `name`; of one that is longer than that: "?".
 */
int procmap_at(int maps_fd, uint64_t address, char name[PROCMAP_NAME_BYTES], struct vma_text *ret);
/* The first from `address` on that may be read, written and executed. */
int procmap_next_rwx(int maps_fd, uint64_t address, char name[PROCMAP_NAME_BYTES],
		     struct vma_text *ret);
