/*
 * Files and directories of /proc. Pids are kept over a restore, so the old path leads to the same
 * file once the task exists. What tells about a process that is gone (the kernel writes "/proc/7
 * (deleted)" for its directory, and the plain name for files in it) is opened while a stand-in has
 * that pid. Threads other than leaders are born in the blob, and their files are opened there. The
 * position is set by lseek, which makes the kernel produce the text up to it again.
 */
#include "procfile.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "core/refuse.h"
#include "core/build/stand-in.h"
#include "kernel/descriptor.h"

static const char mark[] = " (deleted)";

static bool match(struct dump *d, struct fd_probe *p)
{
	if (!S_ISREG(p->st.st_mode) && !S_ISDIR(p->st.st_mode) && !S_ISLNK(p->st.st_mode))
		return false;
	return fd_fs_type(d, p) == PROC_SUPER_MAGIC && !strncmp(fd_link(d, p), "/proc", 5);
}

/* The number in /proc/N or /proc/N/task/M (the last one), 0: none. */
static pid_t pid_in(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(path, prefix, len) ? 0 : (pid_t)strtol(path + len, NULL, 10);
}

/* The thread in /proc/N/task/M, 0: none. */
static pid_t thread_in(struct arena *a, const Procfile *m)
{
	return pid_in(m->path, arena_printf(a, "/proc/%d/task/", m->pid));
}

static int judge(struct dump *d, struct fd_probe *p, Procfile *m)
{
	pid_t tid = thread_in(&d->arena, m);
	struct stat st;

	m->has_dead = m->dead = !tree_find(&d->tree, m->pid);
	if (tid && !m->dead && !tree_find_thread(&d->tree, tid))
		return fd_refuse(d, p, "it is of a thread that is gone",
				 "close it before the dump");
	if (!m->dead)
		return 0;
	if (!sys_stat(AT_FDCWD, arena_printf(&d->arena, "/proc/%d", m->pid), 0, &st, NULL))
		return fd_refuse(d, p,
				 arena_printf(&d->arena, "process %d is not in the tree", m->pid),
				 "dump the tree that holds it as well");
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Procfile *m = msg;
	const char *link = fd_link(d, p);
	size_t len = strlen(link);

	if (len >= sizeof(mark) && !strcmp(link + len - sizeof(mark) + 1, mark))
		len -= sizeof(mark) - 1;
	m->path = arena_strndup(&d->arena, link, len);
	m->pid = pid_in(m->path, "/proc/");
	m->has_pid = m->pid > 0;
	return m->has_pid ? judge(d, p, m) : 0;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Procfile *m = o->msg;

	pid_t tid = m->has_pid && !m->dead ? thread_in(&r->arena, m) : 0;

	o->in_blob = tid && !tree_find(&r->tree, tid) ? m->pid : 0;
	o->late = m->has_pid && !m->dead && !o->in_blob;
	o->shared |= m->dead; /* stand-ins are the coordinator's children */
	if (m->dead && !sys(SYS_kill, m->pid, 0))
		return refuse(&r->blockers, m->pid, m->path,
			      "its process was gone, and the pid is in use now",
			      "wait until that process ends");
	return 0;
}

struct proc_open {
	const struct fd_obj *obj;
	int fd;
};

static int open_path(void *arg, pid_t pid)
{
	struct proc_open *o = arg;
	const Procfile *m = o->obj->msg;

	(void)pid;
	o->fd = sys_openat(AT_FDCWD, m->path,
			   (int)(o->obj->ofd->flags & ~(uint64_t)O_ASYNC) | O_CLOEXEC, 0);
	return o->fd < 0 ? o->fd : 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Procfile *m = obj->msg;
	struct proc_open p = { obj, -1 };
	struct stand_in s = {
		.pid = m->pid, .uid = (uid_t)-1, .gid = (gid_t)-1, .during = open_path, .arg = &p
	};
	bool exists = !m->dead || inode_stands_in(o->r, m->pid);
	int r = obj->in_blob ? 0 : exists ? open_path(&p, 0) : stand_in_run(&s);
	_close_ int fd = p.fd;
	long at;

	if (obj->in_blob)
		return (int)sys(SYS_eventfd2, 0, O_CLOEXEC); /* keeps the number */
	if (r)
		return fail(r, "open '%s'", m->path);
	at = obj->ofd->pos && !(obj->ofd->flags & O_PATH) && !m->dead
		     ? sys_lseek(fd, (long)obj->ofd->pos, SEEK_SET)
		     : 0;
	return at < 0 ? fail(at, "set the position of '%s' to %" PRIu64, m->path, obj->ofd->pos)
		      : take_fd(&fd);
}

static struct prog_arg again(struct prog *p, const struct fd_obj *obj)
{
	const Procfile *m = obj->msg;
	struct prog_arg fd;

	prog_call(p, SYS_openat, AT_FDCWD, prog_in(p, m->path, strlen(m->path) + 1),
		  (obj->ofd->flags & ~(uint64_t)O_ASYNC) | O_CLOEXEC, 0);
	fd = prog_keep(p);
	if (obj->ofd->pos && !(obj->ofd->flags & O_PATH))
		prog_call(p, SYS_lseek, fd, (int64_t)obj->ofd->pos, SEEK_SET);
	return fd;
}

const struct fd_kind kind_procfile = { .name = "procfile",
				       .descriptor = &procfile__descriptor,
				       .match = match,
				       .dump = dump,
				       .plan = plan,
				       .open = open_fd,
				       .again = again };
