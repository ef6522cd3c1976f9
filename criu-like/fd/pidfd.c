/*
 * Descriptors of processes. fdinfo tells the pid; -1 once the process was reaped. Processes keep
 * their pids over a restore, so a living one is opened again when all tasks exist. All pidfds of
 * one dead process share an inode: a stand-in is made that they are all opened of, and it ends with
 * the exit code of the dead one (which PIDFD_GET_INFO tells since 6.15). Threads other than leaders
 * are born in the blob, where their process opens descriptors of them and others take them from it;
 * if it has none itself, each of the others gets a description of its own.
 */
#include "pidfd.pb-c.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "core/build/stand-in.h"
#include "kernel/descriptor.h"

enum { PIDFS_MAGIC = 0x50494446, PIDFD_THREAD_FLAG = O_EXCL };

/* struct pidfd_info of 6.15, of which only the exit code is asked for. */
struct info {
	uint64_t mask, cgroupid;
	uint32_t pid[3], id[8];
	int32_t exit_code;
};
#define INFO_EXIT (1ULL << 3)
#define GET_INFO  _IOWR(0xFF, 11, struct info)

static bool match(struct dump *d, struct fd_probe *p)
{
	if (p->flags & O_PATH)
		return false;
	return fd_is_anon(d, p, "[pidfd]") ||
	       (fdinfo_has(&p->info, "Pid") && fd_fs_type(d, p) == PIDFS_MAGIC);
}

static int dump_dead(struct dump *d, struct fd_probe *p, Pidfd *m)
{
	struct info info = { .mask = INFO_EXIT };
	bool first;

	m->has_group = true;
	m->group = fd_fs_type(d, p) == PIDFS_MAGIC ? files_group(d, p, &first) : p->id | 1u << 31;
	m->has_status = !sys_ioctl(p->fd, GET_INFO, &info) && info.mask & INFO_EXIT;
	m->status = m->has_status ? (uint32_t)info.exit_code : 0;
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct fdinfo_pidfd info;
	Pidfd *m = msg;
	int r = fdinfo_pidfd(&p->info, &info);

	if (r)
		return fail(r, "descriptor %d: the kernel does not tell the process", p->number);
	m->pid = info.pid;
	if (m->pid < 0)
		return dump_dead(d, p, m);
	if (!tree_find_thread(&d->tree, m->pid))
		return fd_refuse(d, p,
				 arena_printf(&d->arena, "process %d is not in the tree", m->pid),
				 "dump the tree that holds it as well");
	return 0;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Pidfd *m = o->msg;
	const struct thread *t = m->pid > 0 ? tree_find_thread(&r->tree, m->pid) : NULL;

	o->in_blob = t && t->tid != t->task->pid ? t->task->pid : 0;
	o->late = m->pid > 0 && !o->in_blob;
	o->shared |= m->pid <= 0; /* stand-ins are the coordinator's children */
	if (m->pid > 0 && !t)
		return fail(-EPROTO, "image 'pidfd': there is no process %d", m->pid);
	return 0;
}

static uint64_t group(const void *msg)
{
	const Pidfd *m = msg;

	return m->pid > 0 ? (uint64_t)m->pid << 32 : m->group;
}

static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n && ((const Pidfd *)member[0]->msg)->pid <= 0; i++)
		member[i]->twin = n > 1 ? member[(i + 1) % n] : NULL;
	return 0;
}

static int open_of(pid_t pid, const struct fd_obj *obj)
{
	const uint64_t keep = O_NONBLOCK | PIDFD_THREAD_FLAG;

	return (int)sys(SYS_pidfd_open, pid, obj->ofd->flags & keep);
}

static int open_all_of(void *arg, pid_t pid)
{
	struct fd_obj *first = arg, *m = first;

	do {
		m->fd = open_of(pid, m);
		if (m->fd < 0)
			return m->fd;
		m = m->twin;
	} while (m && m != first);
	return 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Pidfd *m = obj->msg;
	struct fd_obj *first = files_find(o->r, obj->id);
	struct stand_in s = { .uid = (uid_t)-1,
			      .gid = (gid_t)-1,
			      .exit_code = (int)(m->status >> 8 & 0xff),
			      .during = open_all_of,
			      .arg = first };
	int r;

	if (obj->in_blob)
		return (int)sys(SYS_eventfd2, 0, O_CLOEXEC); /* keeps the number */
	if (m->pid <= 0) {
		r = stand_in_run(&s);
		return r ? r : first->fd;
	}
	r = open_of(m->pid, obj);
	return r < 0 ? fail(r, "open process %d", m->pid) : r;
}

static struct prog_arg again(struct prog *p, const struct fd_obj *obj)
{
	const Pidfd *m = obj->msg;

	prog_call(p, SYS_pidfd_open, m->pid, obj->ofd->flags & (O_NONBLOCK | PIDFD_THREAD_FLAG));
	return prog_keep(p);
}

const struct fd_kind kind_pidfd = { .name = "pidfd",
				    .descriptor = &pidfd__descriptor,
				    .match = match,
				    .dump = dump,
				    .plan = plan,
				    .group = group,
				    .plan_group = plan_group,
				    .open = open_fd,
				    .again = again };
