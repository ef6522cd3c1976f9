/*
 * In which namespaces a thread lives: the inode numbers behind /proc/PID/task/TID/ns/x. A tree
 * shares those of the tool, whichever these are; namespaces of its own are refused by name. That
 * also holds for the two that only children would enter. The ids are kept with every thread in its
 * image.
 */
#include "core/stop/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/sys.h"

static const struct namespace {
	const char *file, *name;
	int like; /* whose id it must have, as index */
	bool of_process; /* a process with several threads cannot change it (EINVAL, EUSERS) */
} namespaces[] = {
	{ "user", "user", 0, true },
	{ "mnt", "mount", 1, false },
	{ "pid", "pid", 2, true },
	{ "net", "network", 3, false },
	{ "ipc", "ipc", 4, false },
	{ "uts", "uts", 5, false },
	{ "cgroup", "cgroup", 6, false },
	{ "time", "time", 7, true },
	{ "pid_for_children", "pid (of its children)", 2, false },
	{ "time_for_children", "time (of its children)", 7, false },
};

enum { HIDDEN = 1, ATTEMPTS = 3 };

/* The number in "net:[4026531840]". 0: no such namespace, or no such thread any more. */
static uint64_t id_at(int dir_fd, const char *path)
{
	char text[64];
	long n = sys(SYS_readlinkat, dir_fd, path, text, sizeof(text) - 1);
	const char *digits;

	text[n < 0 ? 0 : n] = 0;
	digits = strchr(text, '[');
	return digits ? strtoull(digits + 1, NULL, 10) : 0;
}

int namespaces_own(struct arena *a, uint64_t ret[NAMESPACES])
{
	for (int i = 0; i < NAMESPACES; i++)
		ret[i] = id_at(AT_FDCWD, arena_printf(a, "/proc/self/ns/%s", namespaces[i].file));
	return 0;
}

/*
 * The kernel hides a pid namespace that has no process yet: HIDDEN. 0: the thread has ended. A dead
 * leader lives again when another thread executes a program, so this cannot be told by one look at
 * another file.
 */
static uint64_t id_again(int ns_fd, const char *file)
{
	uint64_t id = 0;

	for (int i = 0; i < ATTEMPTS && !id; i++) {
		if (!id_at(ns_fd, "mnt"))
			return 0;
		id = id_at(ns_fd, file);
	}
	return id ? id : HIDDEN;
}

static int look(struct dump *d, int ns_fd, pid_t pid, bool whole)
{
	int r = 0;

	for (size_t i = 0; i < array_size(namespaces); i++) {
		char object[80];
		uint64_t id;

		if (namespaces[i].of_process && !whole)
			continue;
		id = id_at(ns_fd, namespaces[i].file);
		id = id ? id : id_again(ns_fd, namespaces[i].file);
		if (!id)
			return r;
		if (id == d->ns[namespaces[i].like])
			continue;
		(void)snprintf(object, sizeof(object), "its %s namespace", namespaces[i].name);
		r = refuse(&d->blockers, pid, object, "it is not the one that the tool lives in",
			   "start the tool inside of it (nsenter)");
	}
	return r;
}

int namespaces_look(struct dump *d, int proc_fd, pid_t pid, pid_t tid, bool whole)
{
	_close_ int fd = -1;
	char path[40];

	(void)snprintf(path, sizeof(path), "task/%d/ns", tid); /* fits */
	fd = (int)sys(SYS_openat, proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return fd < 0 ? 0 : look(d, fd, pid, whole); /* else it ended meanwhile */
}
