/*
 * Who gets signals about a description (F_SETOWN_EX, F_SETSIG, O_ASYNC).
 *
 * The kernel remembers a task, process or group, and the real and effective user of the caller,
 * which it checks when a signal is sent (F_GETOWNER_UIDS tells them). The owner must exist when it
 * is set, so this happens in a task, when all tasks exist; the users are put on by switching the
 * real and effective user of the thread around the call. O_ASYNC comes last: the kernel remembers
 * the number it was set through.
 */
#include "core/file/file-owner.h"

#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "core/file/file-space.h"
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
	if (sig > 0) {
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
