#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* One mount of /proc/PID/mountinfo. Spans point into the text and are still escaped. */
struct mountinfo {
	int32_t id, parent; /* recycled numbers, those of fdinfo's mnt_id */
	uint32_t major, minor;
	struct span root; /* what is mounted, a path in the file system; nsfs: "net:[4026531840]" */
	struct span point;   /* from the task's root */
	struct span options; /* of the mount: "rw,nosuid,relatime" */
	/* Propagation: peer group ids, 0 for none. */
	int32_t shared, master, propagate_from;
	bool unbindable;
	struct span fstype, source; /* the source may be empty */
	struct span super_options;
};

/* Cuts the next mount off *text: 1, 0 at the end, or -EINVAL. */
int mountinfo_next(struct span *text, struct mountinfo *ret);

/* A field without its octal escapes. */
char *mountinfo_unescape(struct arena *a, struct span field);
