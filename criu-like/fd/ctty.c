/*
 * The controlling terminal of a process. Only the leader of a session can take one, and only its
 * children born afterwards have it as well: the kernel copies it at fork. So the leader takes it
 * after setsid() and before it makes anybody, from a descriptor that the coordinator opened. Who
 * gave it up (TIOCNOTTY) does so again. The foreground group is set by the leader once all groups
 * are complete; if it has no process any more, a stand-in leads it for the moment. SIGTTOU is
 * blocked then. In a shell job (--shell-job) the leader is outside, and tty.c sets the group.
 */
#include "ctty.pb-c.h"

#include <errno.h>
#include <inttypes.h>

#include "base/err.h"
#include "core/build/stand-in.h"
#include "core/file/file.h"
#include "core/kind.h"
#include "core/refuse.h"
#include "fd/tty.h"
#include "kernel/descriptor.h"
#include "kernel/proc-stat.h"

static bool leads(const struct task *t)
{
	return t->sid == t->pid;
}

/* The terminal of a session that comes with the tree has to come with it or be declared. */
static int check_leader(struct dump *d, const struct task *t, dev_t rdev)
{
	const struct tty_end *master;
	const char *key;
	int r;

	if (!tty_is_slave(rdev) || tty_is_external(d, rdev))
		return 0;
	r = tty_master_of(d, rdev, 0, &master);
	if (r || master)
		return r;
	key = tty_key(d, rdev);
	return refuse(&d->blockers, t->pid, "its controlling terminal",
		      "the other side is outside of the tree",
		      arena_printf(&d->arena,
				   "--external '%s' here and --inherit-fd 'fd[N]:%s' at the "
				   "restore, or dump what has the other side as well",
				   key, key));
}

static int dump(struct dump *d, const struct thread *th, const void *answers, void *msg)
{
	const struct task *t = th->task;
	const struct proc_stat *s = t->stat;
	Ctty *m = msg;

	(void)answers;
	if (!s || !s->tty_nr)
		return KIND_NOTHING;
	m->rdev = (uint32_t)tty_from_number((uint32_t)s->tty_nr);
	m->has_foreground = leads(t) && s->tpgid > 0;
	m->foreground = m->has_foreground ? s->tpgid : 0;
	return leads(t) ? check_leader(d, t, m->rdev) : 0;
}

static bool has_member(const struct restore *r, pid_t sid, pid_t pgid)
{
	vec_foreach(t, &r->tree.task)
		if ((*t)->sid == sid && (*t)->pgid == pgid)
			return true;
	return false;
}

static int plan(struct restore *r, const struct thread *th, const void *msg)
{
	const struct task *t = th->task;
	const Ctty *m = msg;

	if (!leads(t))
		return 0;
	if (!tty_of_session(r, t->pid, m->rdev))
		return refuse(&r->blockers, t->pid, "its controlling terminal",
			      "no descriptor of it was saved",
			      "dump while somebody in the tree has it open");
	if (m->has_foreground && !has_member(r, t->pid, m->foreground) &&
	    sys(SYS_kill, m->foreground, 0) != -ESRCH)
		return refuse(&r->blockers, t->pid, "the foreground group of its terminal",
			      arena_printf(&r->arena, "the number %" PRId32 " is in use here",
					   m->foreground),
			      "wait until that process has ended");
	return 0;
}

struct group_of {
	int fd;
	int32_t pgid;
	bool lead;
};

static int set_foreground(void *arg)
{
	const struct group_of *g = arg;
	long r = g->lead ? sys(SYS_setpgid, 0, 0) : 0;

	return r < 0 ? (int)r : sys_ioctl(g->fd, TIOCSPGRP, (void *)(uintptr_t)&g->pgid);
}

static int give_foreground(struct self *s, const Ctty *m, int fd)
{
	struct group_of g = { fd, m->foreground, false };
	int r;

	if (has_member(s->r, s->task->pid, m->foreground)) {
		r = set_foreground(&g);
		return r ? fail(r, "make group %" PRId32 " that of the terminal", m->foreground)
			 : 0;
	}
	g.lead = true;
	return stand_in_run(&(struct stand_in){ .pid = m->foreground,
						.uid = (uid_t)-1,
						.gid = (gid_t)-1,
						.inside = set_foreground,
						.arg = &g });
}

/* It was inherited from who made the process. */
static int give_up(void)
{
	int fd = sys_openat(AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC, 0), r;

	if (fd < 0)
		return 0; /* none */
	r = (int)sys(SYS_ioctl, fd, TIOCNOTTY, 0);
	(void)sys_close(fd); /* nothing was written */
	return r ? fail(r, "give up the controlling terminal") : 0;
}

static int session(struct self *s, const void *msg, enum session_step step)
{
	const Ctty *m = msg;
	int fd, r;

	if (!m)
		return step == SESSION_GROUPED && !leads(s->task) ? give_up() : 0;
	if (!leads(s->task))
		return 0;
	fd = files_parked(tty_of_session(s->r, s->task->pid, m->rdev));
	if (step == SESSION_GROUPED)
		return m->has_foreground ? give_foreground(s, m, fd) : 0;
	r = (int)sys(SYS_ioctl, fd, TIOCSCTTY, 0);
	return r ? fail(r, "take the controlling terminal of session %d%s", s->task->pid,
			r == -EPERM ? " (another session has it)" : "")
		 : 0;
}

const struct task_kind kind_ctty = { .name = "ctty",
				     .descriptor = &ctty__descriptor,
				     .optional = true,
				     .dump = dump,
				     .plan = plan,
				     .session = session };
