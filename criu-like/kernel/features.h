#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * What this kernel and these privileges allow, tried one by one. A run does not ask here: it meets
 * a missing feature where it needs it. This list is for people (`torpor check`).
 */
struct feature {
	const char *name;
	const char *purpose; /* what it is for */
	bool needed;         /* nothing works without it */
	int (*probe)(void);  /* 0, or -errno */
};
extern const struct feature features[]; /* the last has no name */

/* Words for a result of a probe. */
const char *feature_reason(int result);
