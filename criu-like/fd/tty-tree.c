/*
 * Which terminals the tree has. Whether the other side of a slave is in the tree decides what
 * becomes of it, so all descriptor tables are walked once before the freeze and once after it, and
 * only by the texts of their links: a master is /dev/ptmx or the ptmx of another devpts, and its
 * fdinfo has the index of the pair. The slave is a name in the devpts beside the ptmx that was
 * opened. Nothing is opened here: that alone can be seen at the other side.
 */
#include "fd/tty.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"

struct tty_tree {
	bool stopped; /* looked at after the freeze */
	VEC(struct tty_end) end;
};

dev_t tty_from_number(uint32_t n)
{
	return makedev(n >> 8 & 0xfff, (n & 0xff) | (n >> 12 & 0xfff00));
}

bool tty_is_slave(dev_t rdev)
{
	return major(rdev) >= TTY_SLAVE_MAJOR && major(rdev) <= TTY_SLAVE_LAST_MAJOR;
}

static dev_t slave_number(uint32_t index)
{
	return makedev(TTY_SLAVE_MAJOR + index / 256, index % 256);
}

/* The index in the fdinfo of a master; -ENOENT: this is none. */
static int master_index(struct arena *a, const char *fdinfo, uint32_t *ret)
{
	struct span text;
	const char *at;
	int r = io_slurp_at(a, AT_FDCWD, fdinfo, &text);

	if (r)
		return r;
	at = strstr(text.p, "tty-index:");
	if (!at)
		return -ENOENT;
	*ret = (uint32_t)strtoul(at + strlen("tty-index:"), NULL, 10);
	return 0;
}

static bool leads_to(const char *path, dev_t rdev, struct stat *ret)
{
	return !sys_stat(AT_FDCWD, path, 0, ret, NULL) && S_ISCHR(ret->st_mode) &&
	       ret->st_rdev == rdev;
}

/* The devpts of /dev/ptmx is /dev/pts, that of X/ptmx is X. NULL: it cannot be seen. */
static const char *devpts_of(struct arena *a, const char *link, uint32_t index, dev_t *ret_dev)
{
	const char *base = strrchr(link, '/'), *dir, *found = NULL;
	struct stat st;

	if (!base)
		return NULL;
	dir = arena_strndup(a, link, (size_t)(base - link));
	if (leads_to(arena_printf(a, "%s/pts/%" PRIu32, dir, index), slave_number(index), &st))
		found = arena_printf(a, "%s/pts", dir);
	else if (leads_to(arena_printf(a, "%s/%" PRIu32, dir, index), slave_number(index), &st))
		found = dir;
	if (found)
		*ret_dev = st.st_dev;
	return found;
}

static bool may_be_terminal(const char *link)
{
	return *link == '/' && (!strncmp(link, "/dev/", 5) || strstr(link, "ptmx") ||
				strstr(link, "/pts/"));
}

/* 0: no terminal. */
static int look_at(struct arena *a, pid_t pid, int number, struct tty_end *ret)
{
	struct tty_end e = { .pid = pid, .number = number };
	char path[64], link[4097];
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number); /* always fits */
	r = sys_readlink(AT_FDCWD, path, link, sizeof(link));
	if (r < 0 || !may_be_terminal(link))
		return r < 0 ? r : 0;
	r = sys_stat(AT_FDCWD, path, 0, &st, NULL);
	if (r || !S_ISCHR(st.st_mode))
		return r;
	e.rdev = st.st_rdev;
	e.dev = st.st_dev;
	e.master = st.st_rdev == makedev(TTY_DEVICE_MAJOR, 2);
	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number); /* always fits */
	r = e.master ? master_index(a, path, &e.index) : 0;
	if (r || (!e.master && !tty_is_slave(st.st_rdev)))
		return r == -ENOENT ? 0 : r;
	if (e.master) {
		e.rdev = slave_number(e.index);
		e.dev = 0;
		e.devpts = devpts_of(a, link, e.index, &e.dev);
	}
	*ret = e;
	return 1;
}

/* Before the freeze descriptors come and go. */
static int add_process(struct dump *d, struct tty_tree *t, pid_t pid)
{
	struct proc_list number;
	int r = proc_list_at(&d->arena, AT_FDCWD, arena_printf(&d->arena, "/proc/%d/fd", pid),
			     &number);

	if (r)
		return t->stopped ? fail(r, "list the descriptors of task %d", pid) : 0;
	for (size_t i = 0; i < number.n; i++) {
		struct tty_end e;

		r = look_at(&d->arena, pid, number.v[i], &e);
		if (r > 0)
			*vec_push(&d->arena, &t->end) = e;
		if (r < 0 && t->stopped)
			return fail(r, "look at descriptor %d of task %d", number.v[i], pid);
	}
	return 0;
}

static int tree_of(struct dump *d, const struct tty_tree **ret)
{
	bool stopped = d->tree.task.n > 0;
	struct tty_tree *all;
	int r = 0;

	if (d->ttys && d->ttys->stopped == stopped) {
		*ret = d->ttys;
		return 0;
	}
	all = arena_new(&d->arena, struct tty_tree);
	all->stopped = stopped;
	if (!stopped)
		vec_foreach(pid, &d->seen)
			(void)add_process(d, all, *pid); /* cannot fail then */
	vec_foreach(t, &d->tree.task)
		if (!r && (*t)->files == (*t)->index && (*t)->state != TASK_ZOMBIE)
			r = add_process(d, all, task_main(*t)->tid);
	if (r)
		return r;
	*ret = d->ttys = all;
	return 0;
}

int tty_master_of(struct dump *d, dev_t rdev, dev_t dev, const struct tty_end **ret)
{
	const struct tty_end *found = NULL;
	const struct tty_tree *all;
	int r = tree_of(d, &all);

	if (r)
		return r;
	vec_foreach(e, &all->end)
		if (e->master && e->rdev == rdev && (!dev || !e->dev || e->dev == dev))
			found = e;
	if (found && !found->devpts)
		return fail(-ENODEV,
			    "descriptor %d of task %d: the devpts of this terminal is not mounted "
			    "where the tool sees it",
			    found->number, found->pid);
	*ret = found;
	return 0;
}

const struct tty_end *tty_slave_of(const struct dump *d, const struct tty_end *master, size_t n)
{
	vec_foreach(e, &d->ttys->end)
		if (!e->master && e->rdev == master->rdev && e->dev == master->dev && !n--)
			return e;
	return NULL;
}

int tty_copy(const struct dump *d, const struct tty_end *e)
{
	const struct thread *th = tree_find_thread(&d->tree, e->pid);
	const struct task *t = th ? th->task : NULL;
	int fd = t ? sys_pidfd_getfd(t->pidfd, e->number) : -ESRCH;

	return fd < 0 ? fail(fd, "copy descriptor %d of task %d", e->number, e->pid) : fd;
}

const char *tty_key(struct dump *d, dev_t rdev)
{
	struct stat st = { 0 };

	for (const struct tty_end *e = d->ttys ? d->ttys->end.v : NULL;
	     e && e < d->ttys->end.v + d->ttys->end.n; e++)
		if (!e->master && e->rdev == rdev)
			st.st_dev = e->dev;
	if (!st.st_dev) /* nobody has it open: only for the message */
		(void)sys_stat(AT_FDCWD, "/dev/pts", 0, &st, NULL);
	return arena_printf(&d->arena, "tty[%lx:%lx]", (unsigned long)rdev,
			    (unsigned long)st.st_dev);
}

bool tty_is_external(const struct dump *d, dev_t rdev)
{
	char start[32];

	(void)snprintf(start, sizeof(start), "tty[%lx:", (unsigned long)rdev); /* always fits */
	for (const char *const *e = d->opt->external; e && *e; e++)
		if (!strncmp(*e, start, strlen(start)))
			return true;
	return false;
}

/* --- restore -------------------------------------------------------------------------------------
 */

static bool has_master(struct restore *r, int pid, uint32_t index)
{
	struct proc_list number;
	uint32_t found;

	if (proc_list_at(&r->arena, AT_FDCWD, arena_printf(&r->arena, "/proc/%d/fd", pid), &number))
		return false;
	for (size_t i = 0; i < number.n; i++) {
		const char *info =
			arena_printf(&r->arena, "/proc/%d/fdinfo/%d", pid, number.v[i]);

		if (!master_index(&r->arena, info, &found) && found == index)
			return true;
	}
	return false;
}

const char *tty_holder(struct restore *r, uint32_t index)
{
	struct proc_list pid;
	struct span comm;

	if (proc_list_at(&r->arena, AT_FDCWD, "/proc", &pid))
		return "another process";
	for (size_t i = 0; i < pid.n; i++) {
		if (!has_master(r, pid.v[i], index))
			continue;
		if (io_slurp_at(&r->arena, AT_FDCWD,
				arena_printf(&r->arena, "/proc/%d/comm", pid.v[i]), &comm) ||
		    !comm.len)
			return arena_printf(&r->arena, "process %d", pid.v[i]);
		return arena_printf(&r->arena, "process %d (%.*s)", pid.v[i], (int)comm.len - 1,
				    comm.p);
	}
	return "a process that cannot be seen from here";
}
