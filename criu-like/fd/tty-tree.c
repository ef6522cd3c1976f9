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

static void add(struct dump *d, struct tty_tree *t, pid_t pid, int number)
{
	struct tty_end e = { .pid = pid, .number = number };
	char path[64], link[4097];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number); /* always fits */
	if (sys_readlink(AT_FDCWD, path, link, sizeof(link)) < 0 || !may_be_terminal(link) ||
	    sys_stat(AT_FDCWD, path, 0, &st, NULL) || !S_ISCHR(st.st_mode))
		return; /* closed meanwhile: the stop decides */
	e.rdev = st.st_rdev;
	e.dev = st.st_dev;
	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number); /* always fits */
	if (st.st_rdev == makedev(TTY_DEVICE_MAJOR, 2)) {
		if (master_index(&d->arena, path, &e.index))
			return;
		e.master = true;
		e.rdev = slave_number(e.index);
		e.dev = 0;
		e.devpts = devpts_of(&d->arena, link, e.index, &e.dev);
	} else if (!tty_is_slave(st.st_rdev)) {
		return;
	}
	*vec_push(&d->arena, &t->end) = e;
}

static void add_process(struct dump *d, struct tty_tree *t, pid_t pid)
{
	struct proc_list number;

	if (proc_list_at(&d->arena, AT_FDCWD, arena_printf(&d->arena, "/proc/%d/fd", pid), &number))
		return; /* ended meanwhile, or a zombie */
	for (size_t i = 0; i < number.n; i++)
		add(d, t, pid, number.v[i]);
}

static const struct tty_tree *tree_of(struct dump *d)
{
	bool stopped = d->tree.task.n > 0;

	if (d->ttys && d->ttys->stopped == stopped)
		return d->ttys;
	d->ttys = arena_new(&d->arena, struct tty_tree);
	d->ttys->stopped = stopped;
	if (!stopped)
		vec_foreach(pid, &d->seen)
			add_process(d, d->ttys, *pid);
	vec_foreach(t, &d->tree.task)
		if ((*t)->files == (*t)->index)
			add_process(d, d->ttys, (*t)->pid);
	return d->ttys;
}

int tty_master_of(struct dump *d, dev_t rdev, dev_t dev, const struct tty_end **ret)
{
	*ret = NULL;
	vec_foreach(e, &tree_of(d)->end)
		if (e->master && e->rdev == rdev && (!dev || !e->dev || e->dev == dev))
			*ret = e;
	return *ret && !(*ret)->devpts
		       ? fail(-ENOTSUP, "descriptor %d of task %d: the devpts of this terminal is "
					"not mounted where the tool sees it",
			      (*ret)->number, (*ret)->pid)
		       : 0;
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
	const struct task *t = tree_find(&d->tree, e->pid);
	int fd = t ? sys_pidfd_getfd(t->pidfd, e->number) : -ESRCH;

	return fd < 0 ? fail(fd, "copy descriptor %d of task %d", e->number, e->pid) : fd;
}

const char *tty_key(struct dump *d, dev_t rdev)
{
	struct stat st = { 0 };

	vec_foreach(e, &tree_of(d)->end)
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
