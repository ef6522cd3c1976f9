#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/dump.h"

/*
 * Segments of System V shared memory, as mappings show them: what the kind of their mappings tells
 * the kind of the segments.
 */
struct sysv_segment {
	int32_t shmid, key;     /* the key is the one it was made with */
	uint32_t attached;      /* mappings of the tree: what the kernel counts */
	int dir_fd;             /* with path: opens its memory */
	const char *path;
};
/* One more mapping of the segment. `first`: describes it, taken if it was not known. */
void sysv_segment_seen(struct dump *d, const struct sysv_segment *first);
/* What the mappings of the tree showed, after memory_map(). */
size_t sysv_segments(struct dump *d, struct sysv_segment *const **ret);
