/*
 * Locks and leases on files, as the fdinfo of the descriptors that hold them shows them: flock(2)
 * and OFD locks belong to a description, POSIX locks to a descriptor table. The first two are taken
 * by whoever opens the description; a POSIX lock vanishes with any close of the file in its table,
 * so it is taken as the last file operation of the process, in the blob, when all mappings are made
 * and all descriptors closed. (Processes that share a table: by the first of them.) All are taken
 * without waiting: an outsider that took the lock meanwhile is reported.
 *
 * F_GETLK tells others the process id of the setter.
 *
 * A lease needs that nobody else has the file open, so it is taken in the blob when every task is
 * complete. One that is being broken is broken again, by an open that does not wait; the holder got
 * its signal before the dump, so the description has no owner for that moment. The time to give it
 * back starts anew.
 */
#include "core/file/file-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>

#include "base/err.h"
#include "core/file/file-owner.h"
#include "core/file/file-space.h"
#include "core/prog.h"
#include "kernel/descriptor.h"

static uint32_t lock_type(enum fdinfo_lock_type t)
{
	return t == FDINFO_LOCK_READ ? F_RDLCK : t == FDINFO_LOCK_WRITE ? F_WRLCK : F_UNLCK;
}

static uint64_t lock_len(const struct fdinfo_lock *l)
{
	return l->end == INT64_MAX ? 0 : (uint64_t)(l->end - l->start) + 1;
}

static int add_lock(struct dump *d, struct fd_probe *p, Ofd *msg, const struct fdinfo_lock *l)
{
	OfdLock *o;

	if (l->kind == FDINFO_LOCK_POSIX)
		return 0; /* the table's */
	if (l->kind == FDINFO_LOCK_DELEG)
		return fd_refuse(d, p, "it holds a delegation of a file server", NULL);
	o = arena_new(&d->arena, OfdLock);
	ofd_lock__init(o);
	o->kind = l->kind == FDINFO_LOCK_FLOCK	 ? OFD_LOCK__KIND__FLOCK
		  : l->kind == FDINFO_LOCK_LEASE ? OFD_LOCK__KIND__LEASE
						 : OFD_LOCK__KIND__OFD;
	o->has_breaking = o->breaking = l->state == FDINFO_LEASE_BREAKING;
	o->type = lock_type(l->type);
	o->start = (uint64_t)l->start;
	o->len = lock_len(l);
	o->has_pid = l->pid > 0;
	o->pid = l->pid;
	msg->lock = arena_grow(&d->arena, msg->lock, msg->n_lock * sizeof(o),
			       (msg->n_lock + 1) * sizeof(o));
	msg->lock[msg->n_lock++] = o;
	return 0;
}

int lock_dump(struct dump *d, struct fd_probe *p, Ofd *msg)
{
	struct span text = p->info.text;
	struct fdinfo_lock l;
	int r;

	while ((r = fdinfo_lock_next(&text, &l)) > 0) {
		r = add_lock(d, p, msg, &l);
		if (r)
			return r;
	}
	return r ? fail(r, "descriptor %d: a lock line that nobody can read", p->number) : 0;
}

void lock_table_start(struct dump *d)
{
	d->files->posix.n = d->files->posix_ofd.n = 0;
	d->files->posix.v = NULL;
	d->files->posix.cap = 0;
}

int lock_dump_posix(struct dump *d, struct fd_probe *p, uint32_t ofd)
{
	struct span text = p->info.text;
	struct fdinfo_lock l;
	PosixLock *o;
	int r;

	vec_foreach(seen, &d->files->posix_ofd)
		if (*seen == ofd)
			return 0; /* each number of one description shows them */
	while ((r = fdinfo_lock_next(&text, &l)) > 0) {
		if (l.kind != FDINFO_LOCK_POSIX)
			continue;
		o = arena_new(&d->arena, PosixLock);
		posix_lock__init(o);
		o->number = (uint32_t)p->number;
		o->type = lock_type(l.type);
		o->start = (uint64_t)l.start;
		o->len = lock_len(&l);
		*vec_push(&d->arena, &d->files->posix) = o;
		*vec_push(&d->arena, &d->files->posix_ofd) = ofd;
	}
	return r ? fail(r, "descriptor %d: a lock line that nobody can read", p->number) : 0;
}

void lock_table(struct dump *d, FdTable *msg)
{
	msg->lock = d->files->posix.v;
	msg->n_lock = d->files->posix.n;
}

/* --- restore -------------------------------------------------------------------------------------
 */

static struct flock flock_of(uint32_t type, uint64_t start, uint64_t len)
{
	return (struct flock){ .l_type = (short)type,
			       .l_whence = SEEK_SET,
			       .l_start = (off_t)start,
			       .l_len = (off_t)len };
}

static const struct task *taker_of(struct restore *r, const OfdLock *l)
{
	const struct task *t = l->has_pid ? tree_find(&r->tree, l->pid) : NULL;

	return t && t->state != TASK_ZOMBIE ? t : NULL;
}

void lock_plan(struct restore *r, struct fd_obj *o)
{
	for (size_t i = 0; i < o->ofd->n_lock; i++) {
		const struct task *t = taker_of(r, o->ofd->lock[i]);

		if (o->ofd->lock[i]->kind != OFD_LOCK__KIND__LEASE && t && !files_has(r, t, o))
			o->shared = true; /* every task has it until its table is complete */
	}
}

int lock_take(struct self *s, const struct fd_obj *obj, bool first)
{
	for (size_t i = 0; i < obj->ofd->n_lock; i++) {
		const OfdLock *l = obj->ofd->lock[i];
		struct flock f = flock_of(l->type, l->start, l->len);
		const struct task *taker = taker_of(s->r, l);
		int r, fd = obj->fd;

		if (l->kind == OFD_LOCK__KIND__LEASE ||
		    (taker ? taker->files != s->task->files : !first))
			continue;
		if (l->kind == OFD_LOCK__KIND__FLOCK)
			r = (int)sys(SYS_flock, fd,
				     (l->type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
		else
			r = sys_fcntl(fd, F_OFD_SETLK, (long)&f);
		if (r)
			return fail(r, "lock '%s' again (somebody else took the lock meanwhile?)",
				    obj->ofd->name ? obj->ofd->name : "a file");
	}
	return 0;
}

/* A lease on its way to nothing was a read lease if it could be one. */
static uint32_t lease_before(const OfdLock *l, uint64_t flags)
{
	if (!l->breaking)
		return l->type;
	return l->type == F_RDLCK || (flags & O_ACCMODE) != O_RDONLY ? F_WRLCK : F_RDLCK;
}

/* The signal about it was sent before the dump: nobody owns the description for the moment. */
static void lease_break(struct prog *p, const OfdLock *l, int number)
{
	const char *path = arena_printf(p->arena, "/proc/self/fd/%d", number);
	int flags = (l->type == F_RDLCK ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC;

	prog_call(p, SYS_fcntl, number, F_SETOWN, 0);
	prog_accept(prog_call(p, SYS_openat, AT_FDCWD, prog_in(p, path, strlen(path) + 1), flags,
			      0),
		    EAGAIN);
	prog_check(p, prog_keep(p), -EAGAIN, EIO);
}

void lease_stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number)
{
	for (size_t i = 0; at->stage == STAGE_SIGNALS && i < obj->ofd->n_lock; i++) {
		const OfdLock *l = obj->ofd->lock[i];

		if (l->kind != OFD_LOCK__KIND__LEASE)
			continue;
		prog_where(p, "take the lease of descriptor %d again (somebody else has the file "
			      "open?)",
			   number);
		prog_call(p, SYS_fcntl, number, F_SETLEASE, lease_before(l, obj->ofd->flags));
		if (l->breaking)
			lease_break(p, l, number);
		owner_stage_again(p, obj, number);
	}
}

int lock_stage(struct prog *p, const FdTable *table)
{
	for (size_t i = 0; i < table->n_lock; i++) {
		const PosixLock *l = table->lock[i];
		struct flock f = flock_of(l->type, l->start, l->len);

		prog_where(p, "lock %" PRIu64 " bytes at %" PRIu64 " of descriptor %" PRIu32,
			   l->len, l->start, l->number);
		prog_call(p, SYS_fcntl, l->number, F_SETLK, prog_in(p, &f, sizeof(f)));
	}
	return 0;
}
