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
#include "images/image.h"
#include "kernel/descriptor.h"
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

/*
 * A thousand children have one working directory: the same file under the same name on the same
 * mount is described once. One without a name is described each time.
 */
static int find(struct dump *d, const struct task *t, const char *name, FileRef **ret)
{
	struct map *known = d->directories;
	char link[4097];
	uint64_t key[2] = { 0 };
	uint32_t mnt_id = 0;
	struct stat st;
	int n = sys_readlink(t->proc_fd, name, link, sizeof(link)), r;

	if (n <= 0 || n >= (int)sizeof(link) - 1 ||
	    sys_stat(t->proc_fd, name, 0, &st, &mnt_id) || !mnt_id || !st.st_nlink)
		return describe(d, t, name, ret);
	if (!known) {
		known = d->directories = arena_new(&d->arena, struct map);
		map_init(known, &d->arena);
	}
	key[0] = page_hash(link, (size_t)n) ^ mnt_id;
	key[1] = st.st_ino ^ (uint64_t)st.st_dev << 32;
	*ret = map_get(known, key[0], key[1]);
	r = *ret ? 0 : describe(d, t, name, ret);
	if (!r)
		map_put(known, key[0], key[1], *ret);
	return r;
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
	r = find(d, t->task, "cwd", &m->cwd);
	return r ? r : find(d, t->task, "root", &m->root);
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
