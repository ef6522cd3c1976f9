/*
 * Working directory, root directory and umask (fs_struct), shared by threads and by processes made
 * with CLONE_FS. Read from outside. In the restored task both directories are opened before the
 * root changes, since their names are those of the tool's root; it is the last thing that needs
 * names.
 *
 * A thread that left the sharing (unshare(CLONE_FS)) and changed its umask is refused.
 */
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/inode.h"
#include "core/kind.h"
#include "fs.pb-c.h"
#include "kernel/own.h"
#include "kernel/proc-status.h"
#include "kernel/proc.h"

static int describe(struct dump *d, const struct task *t, const char *name, FileRef **ret)
{
	struct proc_dir proc = { t->proc_fd, t->pid };
	_close_ int fd = own_open_path(t->proc_fd, name);
	char *link = NULL;
	int r = fd < 0 ? fd : proc_link(&d->arena, &proc, name, &link);

	if (r)
		return fail(r, "open /proc/%d/%s", t->pid, name);
	return inode_describe(d, t, fd, link, 0, ret);
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	Fs *m = msg;
	int r;

	(void)answers;
	vec_foreach(other, &t->task->thread)
		if (!(*other)->dead && (*other)->status->umask != t->status->umask)
			return refuse(&d->blockers, (*other)->tid, "umask of a thread",
				      "the thread has working directory and umask of its own",
				      NULL);
	m->umask = t->status->umask;
	r = describe(d, t->task, "cwd", &m->cwd);
	return r ? r : describe(d, t->task, "root", &m->root);
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Fs *m = msg;
	int n = inode_check(r, t->task, m->cwd, "working directory"), k;

	if (m->umask > 0777)
		return fail(-EPROTO, "umask %#o", m->umask);
	k = inode_check(r, t->task, m->root, "root directory");
	return n ? n : k;
}

static int enter(struct self *s, const Fs *m)
{
	bool changed = strcmp(m->root->path, "/") != 0;
	_close_ int cwd = inode_open(s->r, m->cwd, O_PATH | O_DIRECTORY);
	_close_ int root = changed ? inode_open(s->r, m->root, O_PATH | O_DIRECTORY) : -1;
	int r;

	if (cwd < 0)
		return fail(cwd, "open the working directory '%s'", m->cwd->path);
	if (changed && root < 0)
		return fail(root, "open the root directory '%s'", m->root->path);
	r = changed ? sys_fchdir(root) : 0;
	if (!r && changed)
		r = sys_chroot_here();
	if (r)
		return fail(r, "change the root directory to '%s'", m->root->path);
	r = sys_fchdir(cwd);
	return r ? fail(r, "change the working directory to '%s'", m->cwd->path) : 0;
}

static int apply(struct self *s, const void *msg)
{
	const Fs *m = msg;
	int r = enter(s, m);

	if (!r)
		(void)sys_umask(m->umask); /* yields the old one, never fails */
	return r;
}

const struct task_kind kind_fs = {
	"fs", &fs__descriptor, SCOPE_TASK, OBJECT_FS, .dump = dump, .plan = plan, .apply = apply,
	.alike = true,
};
