#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/*
 * Looking at many stopped processes on another cpu, by a helper, while the caller does something
 * else. NULL where it makes no sense (one cpu, fault injection) or is not possible: then, and
 * whenever the helper has not got to a process yet, the caller looks itself.
 */
struct read_ahead;

/* One process. What is written to `to` is seen by the caller at the same address. */
struct read_ahead_job {
	pid_t pid;
	uint64_t argument;
	char *to;	 /* aligned to 64 bytes */
	size_t room;
	char *scratch;	 /* the helper's own, not zeroed */
	size_t scratch_room;
};
/* Looks at one process, in the helper. Yields how many bytes it wrote, or -errno. */
typedef long read_ahead_fn(const struct read_ahead_job *j);

/*
 * Starts the helper, which waits: early, while the caller is small. Up to n processes, for each of
 * which about `each` bytes are expected.
 */
struct read_ahead *read_ahead_new(size_t n, size_t each, read_ahead_fn *look);
/* Lets it look at the processes, from the last to the first; pid 0: at nothing. */
void read_ahead_go(struct read_ahead *a, const pid_t *pid, size_t n, uint64_t argument);
/*
 * From here on process i is not as it will be seen in the end, and from there on it is. What is
 * read in between, also in part, counts for nothing.
 */
void read_ahead_disturb(struct read_ahead *a, size_t i);
void read_ahead_settle(struct read_ahead *a, size_t i);
/* What was written for process i, good until the end; false: the caller has to look. */
bool read_ahead_take(struct read_ahead *a, size_t i, struct span *ret);
void read_ahead_free(struct read_ahead *a);
