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
#include <sys/stat.h>

#include "base/err.h"
#include "kernel/sys.h"

static const struct namespace {
	const char *file, *name;
	int like; /* whose id it must have, as index */
} namespaces[] = {
	{ "user", "user", 0 },
	{ "mnt", "mount", 1 },
	{ "pid", "pid", 2 },
	{ "net", "network", 3 },
	{ "ipc", "ipc", 4 },
	{ "uts", "uts", 5 },
	{ "cgroup", "cgroup", 6 },
	{ "time", "time", 7 },
	{ "pid_for_children", "pid (of its children)", 2 },
	{ "time_for_children", "time (of its children)", 7 },
};

/* 0: no such namespace, or no such thread any more. */
static uint64_t id_at(int dir_fd, const char *path)
{
	struct stat st;
	long r = sys(SYS_newfstatat, dir_fd, path, &st, 0);

	return r < 0 ? 0 : st.st_ino;
}

int namespaces_own(struct arena *a, uint64_t ret[NAMESPACES])
{
	for (int i = 0; i < NAMESPACES; i++)
		ret[i] = id_at(AT_FDCWD, arena_printf(a, "/proc/self/ns/%s", namespaces[i].file));
	return 0;
}

int namespaces_look(struct dump *d, int proc_fd, pid_t pid, pid_t tid)
{
	int r = 0;

	for (size_t i = 0; i < array_size(namespaces); i++) {
		char path[64], object[80];
		uint64_t id;

		(void)snprintf(path, sizeof(path), "task/%d/ns/%s", tid, namespaces[i].file);
		id = id_at(proc_fd, path);
		if (!id || id == d->ns[namespaces[i].like])
			continue;
		(void)snprintf(object, sizeof(object), "its %s namespace", namespaces[i].name);
		r = refuse(&d->blockers, pid, object, "it is not the one that the tool lives in",
			   "start the tool inside of it (nsenter)");
	}
	return r;
}
