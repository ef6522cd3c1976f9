#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/vec.h"

/*
 * Blockers: everything that stands against a dump or a restore is collected and reported at once.
 * A phase ends (with -ENOTSUP) when anything was collected.
 */
struct blocker {
	pid_t pid;          /* task, 0: none */
	const char *object; /* "descriptor 7 (anon_inode:[io_uring])" */
	const char *reason; /* "its ring has requests in flight" */
	const char *remedy; /* "close it, or ..." ; may be NULL */
	bool passing;	    /* it may be gone a moment later */
};
struct blockers {
	struct arena *arena;
	VEC(struct blocker) list;
};

void blockers_init(struct blockers *b, struct arena *a);
/* Adds one (an equal one is kept once) and yields -ENOTSUP. Strings are copied. */
int refuse(struct blockers *b, pid_t pid, const char *object, const char *reason,
	   const char *remedy);
/* There are blockers, and all of them are passing. */
bool blockers_may_pass(const struct blockers *b);
/* Logs one line per blocker; yields -ENOTSUP if there is any, else 0. */
int blockers_report(const struct blockers *b);
