/*
 * Terminals that the tree got from outside: a job of a shell. The other side (a terminal emulator,
 * a login) is not in the tree and cannot be saved; the restore takes the terminal that it was
 * itself started from, or one that the caller hands over, and gives it the saved modes and
 * foreground group. Its size stays what it is. A session of the tree that has the terminal as its
 * controlling one is refused.
 */
#include "tty.pb-c.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/proc-stat.h"

/* struct termios2 of asm/termbits.h, which cannot be included beside the C library's. */
struct modes {
	uint32_t flag[4];
	uint8_t line, cc[19];
	uint32_t speed[2];
};
#define GET_MODES _IOR('T', 0x2A, struct modes)
#define SET_MODES _IOW('T', 0x2B, struct modes)

static bool match(struct dump *d, struct fd_probe *p)
{
	unsigned int type = major(p->st.st_rdev), n = minor(p->st.st_rdev);

	(void)d;
	if (!S_ISCHR(p->st.st_mode) || p->flags & O_PATH)
		return false;
	return (type >= 136 && type <= 143) || type == 4 || (type == 5 && n < 2);
}

/* new_encode_dev() of the kernel, as /proc/PID/stat shows it. */
static int32_t tty_number(dev_t dev)
{
	unsigned int n = minor(dev);

	return (int32_t)((n & 0xff) | major(dev) << 8 | (n & ~0xffU) << 12);
}

static bool controls_session(const struct dump *d, dev_t dev)
{
	vec_foreach(t, &d->tree.task) {
		const struct proc_stat *s = (*t)->stat;

		if (s && s->tty_nr && s->tty_nr == tty_number(dev) &&
		    tree_find(&d->tree, (*t)->sid))
			return true;
	}
	return false;
}

/* The foreground group, if it is one of the tree's. */
static pid_t foreground(const struct dump *d, dev_t dev)
{
	pid_t pgid = 0;

	vec_foreach(t, &d->tree.task)
		if ((*t)->stat && (*t)->stat->tty_nr == tty_number(dev))
			pgid = (*t)->stat->tpgid;
	vec_foreach(t, &d->tree.task)
		if (pgid > 0 && (*t)->pgid == pgid)
			return pgid;
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Tty *m = msg;
	struct modes modes;
	int r = sys_ioctl(p->fd, GET_MODES, &modes);

	if (r == -EIO)
		return fd_refuse(d, p, "this terminal was hung up", "let the program close it");
	if (r)
		return fail(r, "descriptor %d: ask for the modes of the terminal", p->number);
	m->controlling = p->st.st_rdev == makedev(5, 0);
	if (!m->controlling && controls_session(d, p->st.st_rdev))
		return fd_refuse(
			d, p, "it is the controlling terminal of a session in the tree",
			"dump a tree without the session leader, or detach it from the terminal");
	m->rdev = (uint32_t)p->st.st_rdev;
	m->foreground = foreground(d, p->st.st_rdev);
	m->has_foreground = m->foreground > 0;
	m->termios.data = arena_memdup(&d->arena, &modes, sizeof(modes));
	m->termios.len = sizeof(modes);
	p->key = arena_printf(&d->arena, "tty[%lx:%lx]", (unsigned long)p->st.st_rdev,
			      (unsigned long)p->st.st_dev);
	return 0;
}

/* The terminal that the tool was started from: a descriptor, or -1. */
static int own_terminal(void)
{
	struct modes modes;

	for (int fd = 0; fd < 3; fd++)
		if (!sys_ioctl(fd, GET_MODES, &modes))
			return fd;
	return -1;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Tty *m = o->msg;
	const char *key = o->ofd->key ? o->ofd->key : "tty";

	o->shared = true; /* the coordinator has the terminal */
	if (m->termios.len != sizeof(struct modes))
		return fail(-EPROTO, "image 'tty': these are no modes");
	if (own_terminal() >= 0)
		return 0;
	return refuse(&r->blockers, 0, o->ofd->name ? o->ofd->name : key,
		      "the terminal of a shell job was dumped, and the restore has none",
		      arena_printf(&r->arena,
				   "start the restore from a terminal, or --inherit-fd 'fd[N]:%s'",
				   key));
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const int keep = O_ACCMODE | O_NONBLOCK | O_APPEND;
	const Tty *m = obj->msg;
	int flags = (int)obj->ofd->flags & keep, r;
	_close_ int fd = m->controlling ? sys_openat(AT_FDCWD, "/dev/tty", flags | O_CLOEXEC, 0)
					: sys_reopen(own_terminal(), flags | O_NOCTTY);
	struct modes now;

	(void)o;
	if (fd < 0)
		return fail(fd, "open the terminal");
	r = sys_ioctl(fd, GET_MODES, &now);
	if (!r && memcmp(&now, m->termios.data, sizeof(now)))
		r = sys_ioctl(fd, SET_MODES, m->termios.data); /* SIGTTOU is blocked */
	return r ? fail(r, "set the modes of the terminal") : take_fd(&fd);
}

/* The group exists now. Signals are blocked, so asking from the background does not stop us. */
static int finish(struct self *s, const struct fd_obj *obj, int fd)
{
	const Tty *m = obj->msg;
	int r;

	(void)s;
	if (!m->has_foreground)
		return 0;
	r = sys_ioctl(fd, TIOCSPGRP, &(int32_t){ m->foreground });
	if (r) /* the terminal is no controlling one: of another session, or handed over */
		log_info("the terminal's foreground group stays as it is: error %d", -r);
	return 0;
}

const struct fd_kind kind_tty = { .name = "tty",
				  .descriptor = &tty__descriptor,
				  .match = match,
				  .dump = dump,
				  .plan = plan,
				  .open = open_fd,
				  .finish = finish };
