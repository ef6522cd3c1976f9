#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "core/task.h"

/* A POSIX message queue, as the first descriptor of it showed it: for the kind that saves it. */
struct queue_seen {
	const struct task *task;
	int fd;             /* ours, for reading and writing, without waiting */
	const char *name;   /* without the slash */
	bool removed;
};
