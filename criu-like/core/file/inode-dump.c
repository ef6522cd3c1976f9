/*
 * Names of files on dump.
 *
 * The kernel's text of a link is a name only if that name leads to the same inode: files called
 * "x (deleted)" exist, names are used again by other files, and mounts hide files. So the name is
 * always resolved and compared by device and inode. What has no link any more becomes a ghost; what
 * lost this name but has others gets a new link (only when asked for: it changes the file system).
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/file/inode-space.h"
#include "core/journal.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

static const char deleted_mark[] = " (deleted)";

struct inode_space *inode_space_of(struct dump *d)
{
	if (!d->inodes) {
		d->inodes = arena_new(&d->arena, struct inode_space);
		map_init(&d->inodes->ghost_of, &d->arena);
		map_init(&d->inodes->remap_of, &d->arena);
	}
	return d->inodes;
}

int inode_refuse(struct dump *d, const struct inode_look *l, const char *reason, const char *remedy)
{
	return refuse(&d->blockers, l->task ? l->task->pid : 0,
		      arena_printf(&d->arena, "file '%s'", l->link), reason, remedy);
}

/* 1: the name leads to the file, 0: to another one or nowhere. */
static int leads_here(const struct inode_look *l, const char *path)
{
	static const int nowhere[] = { ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG, ESTALE };
	struct stat st;
	int r = sys_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st, NULL);

	for (size_t i = 0; i < array_size(nowhere); i++)
		if (r == -nowhere[i])
			return 0;
	if (r)
		return fail(r, "look where '%s' leads", path);
	return st.st_ino == l->st.st_ino && st.st_dev == l->st.st_dev;
}

/* Splits " (deleted)" off the text, if it is the kernel's. */
static int find_name(struct dump *d, struct inode_look *l)
{
	size_t len = strlen(l->link), mark = sizeof(deleted_mark) - 1;
	int r;

	l->path = l->link;
	if (len <= mark || strcmp(l->link + len - mark, deleted_mark))
		return 0;
	r = l->st.st_nlink ? leads_here(l, l->link) : 0;
	if (r)
		return r < 0 ? r : 0; /* a file whose name ends like that */
	l->deleted = true;
	l->path = arena_strndup(&d->arena, l->link, len - mark);
	return 0;
}

static bool can_be_uncovered(const struct inode_look *l)
{
	_close_ int fd = hidden_open(l->path, l->st.st_dev, l->st.st_ino, O_PATH);

	return fd >= 0;
}

static int find_lost(struct dump *d, struct inode_look *l, FileRef *ref)
{
	uint32_t id;
	int r;

	ref->has_pathname_is_deleted = ref->pathname_is_deleted = l->deleted;
	if (!l->st.st_nlink || (l->deleted && S_ISDIR(l->st.st_mode))) {
		r = ghost_dump(d, l, &id);
		ref->has_ghost = !r;
		ref->ghost = r ? 0 : id;
		return r;
	}
	if (!l->deleted && can_be_uncovered(l)) {
		ref->has_hidden = ref->hidden = true;
		return 0;
	}
	if (!l->deleted)
		return inode_refuse(
			d, l,
			"this name leads to another file or nowhere: a mount hides it, or "
			"the task sees other mounts",
			"unmount what covers it, or dump with the mount namespace");
	r = remap_dump(d, l, &id);
	ref->has_link_remap = !r;
	ref->link_remap = r ? 0 : id;
	return r;
}

static FileRef *ref_new(struct dump *d, const struct inode_look *l, uint32_t mnt_id)
{
	FileRef *f = arena_new(&d->arena, FileRef);

	file_ref__init(f);
	f->mnt_id = mnt_id;
	f->path = (char *)l->path;
	f->dev = l->st.st_dev;
	f->ino = l->st.st_ino;
	f->size = (uint64_t)l->st.st_size;
	f->mtime_sec = l->st.st_mtim.tv_sec;
	f->mtime_nsec = (uint32_t)l->st.st_mtim.tv_nsec;
	f->mode = l->st.st_mode;
	f->has_rdev = S_ISCHR(l->st.st_mode) || S_ISBLK(l->st.st_mode);
	f->rdev = f->has_rdev ? l->st.st_rdev : 0;
	f->has_uid = f->has_gid = true;
	f->uid = l->st.st_uid;
	f->gid = l->st.st_gid;
	return f;
}

static int describe(struct dump *d, struct inode_look *l, uint32_t mnt_id, FileRef **ret)
{
	FileRef *ref;
	int r;

	if (l->link[0] != '/')
		return inode_refuse(d, l, "it has no name in any mount that the tool sees", NULL);
	r = l->named ? 0 : find_name(d, l);
	if (r)
		return r;
	ref = ref_new(d, l, mnt_id);
	if (!l->named) {
		r = !l->deleted && l->st.st_nlink ? leads_here(l, l->path) : 0;
		r = r < 0 ? r : r ? 0 : find_lost(d, l, ref);
	}
	if (!r)
		*ret = ref;
	return r;
}

int inode_describe(struct dump *d, const struct task *t, int fd, const char *link, uint32_t mnt_id,
		   FileRef **ret)
{
	/* Callers read the text into a buffer of theirs; the reference outlives it. */
	struct inode_look l = { .task = t, .fd = fd, .link = arena_strdup(&d->arena, link) };
	int r = sys_stat(fd, "", 0, &l.st, mnt_id ? NULL : &mnt_id);

	return r ? fail(r, "look at '%s'", link) : describe(d, &l, mnt_id, ret);
}

int fd_describe(struct dump *d, struct fd_probe *p, FileRef **ret)
{
	const char *link = fd_link(d, p);
	struct inode_look l = { .task = p->task,
				.fd = p->fd,
				.link = link,
				.path = link,
				.named = p->named,
				.st = p->st };

	return describe(d, &l, p->mnt_id, ret);
}

void inode_dump_undo(struct dump *d)
{
	if (!d->journal)
		return;
	(void)journal_undo(d->journal); /* reported there; the journal keeps what is left */
	journal_close(d->journal);
}

void inode_dump_commit(struct dump *d)
{
	if (!d->journal)
		return;
	if (d->opt->leave_running) {
		log_warn("a tree that goes on keeps no links: files whose name is gone cannot be "
			 "restored from this checkpoint");
		inode_dump_undo(d);
		return;
	}
	vec_foreach(id, &d->inodes->remap_entry)
		(void)journal_done(d->journal, *id); /* the links belong to the checkpoint now */
	journal_close(d->journal);
}

int inode_dump_finish(struct dump *d)
{
	struct inode_space *s = inode_space_of(d);
	int r = ghost_dump_finish(d);

	if (!r && s->remap_image)
		r = image_finish(s->remap_image);
	return r;
}
