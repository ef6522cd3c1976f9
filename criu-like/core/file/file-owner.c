/*
 * Who gets signals about a description (F_SETOWN_EX, F_SETSIG, O_ASYNC).
 *
 * The kernel remembers a task, process or group, and the real and effective user of the caller,
 * which it checks when a signal is sent (F_GETOWNER_UIDS tells them). The owner must exist when it
 * is set, so this happens in a task, when all tasks exist; the users are put on by switching the
 * real and effective user of the thread around the call. O_ASYNC comes last: the kernel remembers
 * the number it was set through. Threads other than leaders are born in the blob: owners of that
 * kind are set there.
 */
#include "core/file/file-owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "core/file/file-space.h"
#include "core/prog.h"
#include "kernel/descriptor.h"

#define F_GETOWNER_UIDS_NR 17
#define F_SETSIG_NR	   10
#define F_GETSIG_NR	   11
#define F_SETOWN_EX_NR	   15
#define F_GETOWN_EX_NR	   16

struct owner_ex {
	int type;
	pid_t pid;
};

int owner_dump(struct dump *d, const struct fd_probe *p, Ofd *msg)
{
	struct owner_ex o;
	uint32_t uids[2];
	int sig, r;

	if (p->flags & O_PATH)
		return 0;
	sig = sys_fcntl(p->fd, F_GETSIG_NR, 0);
	if (sig < 0)
		return fail(sig, "descriptor %d: ask for the signal of its owner", p->number);
	if (sig) {
		msg->has_signal = true;
		msg->signal = (uint32_t)sig;
	}
	r = sys_fcntl(p->fd, F_GETOWN_EX_NR, (long)&o);
	if (r)
		return fail(r, "descriptor %d: ask for the owner", p->number);
	if (!o.pid)
		return 0;
	r = sys_fcntl(p->fd, F_GETOWNER_UIDS_NR, (long)uids);
	if (r)
		return fail(r, "descriptor %d: ask for the users of the owner", p->number);
	msg->owner = arena_new(&d->arena, OfdOwner);
	ofd_owner__init(msg->owner);
	msg->owner->type = (uint32_t)o.type;
	msg->owner->pid = o.pid;
	msg->owner->has_uid = msg->owner->has_euid = true;
	msg->owner->uid = uids[0];
	msg->owner->euid = uids[1];
	return 0;
}

static int set_owner(const OfdOwner *w, int fd)
{
	struct owner_ex o = { (int)w->type, w->pid };
	uint32_t uid[3];
	bool change;
	int r = (int)sys(SYS_getresuid, &uid[0], &uid[1], &uid[2]);

	change = !r && w->has_uid && (w->uid != uid[0] || w->euid != uid[1]);
	if (change)
		r = (int)sys(SYS_setresuid, w->uid, w->euid, uid[2]);
	if (r)
		return r;
	r = sys_fcntl(fd, F_SETOWN_EX_NR, (long)&o);
	/* The saved user kept the way back open. */
	if (change && sys(SYS_setresuid, -1, uid[2], -1) == 0 &&
	    sys(SYS_setresuid, uid[0], uid[1], uid[2]))
		return -EPERM;
	if (change)
		(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); /* a new user cleared it */
	return r == -ESRCH ? 0 : r; /* an owner that has died meant nothing before either */
}

int owner_apply(const struct fd_obj *obj, int fd)
{
	const Ofd *o = obj->ofd;
	int r = o->owner ? set_owner(o->owner, fd) : 0;

	if (!r && o->has_signal)
		r = sys_fcntl(fd, F_SETSIG_NR, (long)o->signal);
	if (!r && o->flags & O_ASYNC)
		r = sys_fcntl(fd, F_SETFL, (long)o->flags);
	return r ? fail(r, "descriptor %d: set its owner", fd) : 0;
}

static bool is_thread(const struct tree *t, const OfdOwner *w)
{
	return w && w->type == F_OWNER_TID && !tree_find(t, w->pid) && tree_find_thread(t, w->pid);
}

static void stage_owner(struct prog *p, const OfdOwner *w, int number)
{
	struct owner_ex o;
	uint32_t uid[3];
	bool change;

	(void)sys(SYS_getresuid, &uid[0], &uid[1], &uid[2]); /* cannot fail; the task's as well */
	change = w->has_uid && (w->uid != uid[0] || w->euid != uid[1]);
	o = (struct owner_ex){ (int)w->type, w->pid };
	prog_where(p, "owner of descriptor %d", number);
	if (change)
		prog_call(p, SYS_setresuid, w->uid, w->euid, -1);
	prog_accept(prog_call(p, SYS_fcntl, number, F_SETOWN_EX_NR, prog_in(p, &o, sizeof(o))),
		    ESRCH); /* an owner that has died meant nothing before either */
	if (!change)
		return;
	prog_call(p, SYS_setresuid, -1, uid[2], -1);
	prog_call(p, SYS_setresuid, uid[0], uid[1], uid[2]);
	prog_call(p, SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a new user cleared it */
}

void owner_stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number)
{
	if (at->stage == STAGE_SIGNALS && is_thread(&at->r->tree, obj->ofd->owner))
		stage_owner(p, obj->ofd->owner, number);
}

void owner_stage_again(struct prog *p, const struct fd_obj *obj, int number)
{
	if (obj->ofd->owner)
		stage_owner(p, obj->ofd->owner, number);
	else
		prog_call(p, SYS_fcntl, number, F_SETOWN, 0);
}
