/*
 * Files on restore: are they still what they were, and opening them.
 *
 * A file counts as unchanged when its type, its permissions and, unless it is only appended to, its
 * size are what they were. Device and inode numbers may change (copies, other hosts), times are
 * changed by backups; they are not compared. The check is made before anything is created.
 */
#include "core/file/inode.h"

#include <errno.h>
#include <inttypes.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/inode-space.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

int inode_plan(struct restore *r)
{
	int e;

	r->inodes = arena_new(&r->arena, struct inode_space);
	e = ghost_plan(r);
	return e ? e : remap_plan(r);
}

static int changed(struct restore *r, const struct task *t, const char *object, const char *reason,
		   const char *remedy)
{
	return refuse(&r->blockers, t ? t->pid : 0, object, reason, remedy);
}

static int check_named(struct restore *r, const struct task *t, const FileRef *f, const char *what)
{
	const char *object = arena_printf(&r->arena, "%s '%s'", what, f->path);
	struct stat st;
	int e = sys_stat(AT_FDCWD, f->path, AT_SYMLINK_NOFOLLOW, &st, NULL);

	if (e)
		return changed(r, t, object,
			       e == -ENOENT ? "the file is gone" : "the file cannot be looked at",
			       "put it back under this name");
	if ((st.st_mode & S_IFMT) != (f->mode & S_IFMT))
		return changed(r, t, object, "the name leads to a file of another type",
			       "put it back");
	if (f->has_rdev && st.st_rdev != f->rdev)
		return changed(r, t, object, "the name leads to another device", "put it back");
	if (S_ISREG(f->mode) && !f->may_grow && (uint64_t)st.st_size != f->size)
		return changed(r, t, object,
			       arena_printf(&r->arena, "its size was %" PRIu64 " and is %lld",
					    f->size, (long long)st.st_size),
			       "restore the file to its state at the dump");
	if (S_ISREG(f->mode) && st.st_mode != f->mode)
		return changed(r, t, object,
			       arena_printf(&r->arena, "its mode was %o and is %o", f->mode & 07777,
					    st.st_mode & 07777),
			       arena_printf(&r->arena, "chmod %o '%s'", f->mode & 07777, f->path));
	if (S_ISREG(f->mode) && !f->may_grow && st.st_mtim.tv_sec != f->mtime_sec)
		log_info("%s: modified since the dump, with the same size", object);
	return 0;
}

/* Unless what covered it is gone by now. */
static int open_hidden(const FileRef *f, int flags)
{
	struct stat st;

	if (!sys_stat(AT_FDCWD, f->path, AT_SYMLINK_NOFOLLOW, &st, NULL) && st.st_dev == f->dev &&
	    st.st_ino == f->ino)
		return sys_openat(AT_FDCWD, f->path, flags, 0);
	return hidden_open(f->path, f->dev, f->ino, flags);
}

static int check_hidden(struct restore *r, const struct task *t, const FileRef *f, const char *what)
{
	_close_ int fd = inode_is_name(f->path) ? open_hidden(f, O_PATH | O_CLOEXEC) : -1;

	return fd >= 0 ? 0
		       : changed(r, t, arena_printf(&r->arena, "%s '%s'", what, f->path),
				 "it was below a mount, and is not there any more",
				 "put the file system back");
}

/* By a name that the dump found, it is a file like others; a link of the dump's was looked for. */
static int check_remap(struct restore *r, const struct task *t, const FileRef *f, const char *what)
{
	const struct remap_file *m = remap_find(r->inodes, f->link_remap);
	FileRef other = *f;

	if (!m)
		return fail(-EPROTO, "%s '%s': no such link in the images", what, f->path);
	other.path = m->msg->path;
	return m->msg->found ? check_named(r, t, &other, what) : 0;
}

int inode_check(struct restore *r, const struct task *t, const FileRef *f, const char *what)
{
	if (f->path[0] != '/' || (f->has_ghost && !inode_is_name(f->path)))
		return fail(-EPROTO, "%s '%s': this is no path from the root", what, f->path);
	if (f->has_ghost) {
		struct ghost_file *g = ghost_find(r->inodes, f->ghost);

		if (!g)
			return fail(-EPROTO, "%s '%s': no such ghost in the images", what, f->path);
		ghost_want_name(r, g, f->path);
		return 0;
	}
	if (f->has_link_remap)
		return check_remap(r, t, f, what);
	if (f->hidden)
		return check_hidden(r, t, f, what);
	return check_named(r, t, f, what);
}

/* A file without a name: the description that was made for it, or another one of the same file. */
static int open_nameless(const struct ghost_file *g, int flags)
{
	if (g->fd < 0)
		return -ENOENT;
	return flags & O_TMPFILE_BIT ? sys_fcntl(g->fd, F_DUPFD_CLOEXEC, 0)
				     : sys_reopen(g->fd, flags);
}

int inode_open(struct restore *r, const FileRef *f, int flags)
{
	const char *path = f->path;

	flags |= O_CLOEXEC | O_NOCTTY;
	if (f->hidden)
		return open_hidden(f, flags & ~O_TMPFILE_BIT);
	if (f->has_ghost) {
		const struct ghost_file *g = ghost_find(r->inodes, f->ghost);

		if (!g->name)
			return open_nameless(g, flags);
		path = ghost_name(g, f->path);
	} else if (f->has_link_remap) {
		path = remap_find(r->inodes, f->link_remap)->name;
	}
	return sys_openat(AT_FDCWD, path, flags & ~O_TMPFILE_BIT, 0);
}

int inode_create_ghosts(struct restore *r)
{
	int e = ghost_create_all(r);

	return e ? e : remap_create_all(r);
}

int inode_remove_ghosts(struct restore *r, bool restored)
{
	int e, e2;

	if (!r->inodes)
		return 0;
	e = remap_remove_all(r, restored);
	e2 = ghost_remove_all(r);
	return e ? e : e2;
}
