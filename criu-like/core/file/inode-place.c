/*
 * Names that exist only during a restore.
 *
 * A file that was deleted while open shows its last name, so it is made under that name and removed
 * again. Parents that are gone too are made and removed with it. If another file has the name by
 * now, the deleted one is made beside it under a similar name, and at the end the two are exchanged
 * and the other one is moved back over it at once: the kernel keeps the name under which a file was
 * replaced. Where the two cannot be exchanged (types, mount points) the similar name stays in the
 * text that the task sees. All of it is in the journal before it is made.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/file/inode-space.h"
#include "core/journal.h"
#include "kernel/descriptor.h"

enum { KEEP_FLAG = 1, SWAP_FLAG = 2 }; /* RENAME_NOREPLACE, RENAME_EXCHANGE */

bool inode_is_name(const char *path)
{
	if (*path != '/')
		return false;
	while (*path == '/') {
		size_t n = strcspn(++path, "/");

		if (!n || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += n;
	}
	return true;
}

struct journal *restore_journal(struct restore *r)
{
	if (r->journal)
		return r->journal;
	(void)journal_recover(&r->arena, r->opt->work_fd); /* reported; what is left stays in it */
	r->journal = journal_new(&r->arena, r->opt->work_fd, false);
	return r->journal;
}

static int make_parent(struct restore *r, const char *path)
{
	struct journal *j = restore_journal(r);
	struct stat st;
	uint32_t entry;
	int e = journal_add(j, JOURNAL_RMDIR, path, &entry);

	if (e)
		return e;
	e = (int)sys(SYS_mkdirat, AT_FDCWD, path, 0700);
	if (e) {
		(void)journal_done(j, entry); /* nothing was made */
		return e == -EEXIST ? 0 : fail(e, "make the directory '%s'", path);
	}
	*vec_push(&r->arena, &r->inodes->made_dir) = (struct made_dir){ path, entry };
	e = sys_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st, NULL);
	return e ? fail(e, "look at '%s'", path) : journal_made(j, entry, &st);
}

/* Makes all parents of path that are missing. -ENOTDIR: something else is in the way. */
static int make_parents(struct restore *r, const char *path)
{
	struct stat st;

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		const char *dir = arena_strndup(&r->arena, path, (size_t)(p - path));
		int e = sys_stat(AT_FDCWD, dir, 0, &st, NULL);

		if (e == -ENOENT)
			e = make_parent(r, dir);
		else if (!e && !S_ISDIR(st.st_mode))
			return -ENOTDIR;
		else if (e)
			e = fail(e, "look at '%s'", dir);
		if (e)
			return e;
	}
	return 0;
}

/* The nearest parent that is a directory, and the last part of the name in it. */
static const char *nearby(struct restore *r, const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	struct stat st;

	for (size_t len = (size_t)(base - path) - 1; len > 0; len--) {
		const char *dir = arena_strndup(&r->arena, path, len);

		if (path[len] == '/' && !sys_stat(AT_FDCWD, dir, 0, &st, NULL) &&
		    S_ISDIR(st.st_mode))
			return arena_printf(&r->arena, "%s/%s", dir, base);
	}
	return arena_printf(&r->arena, "/%s", base);
}

int inode_place(struct restore *r, const char *path, const char **ret)
{
	const char *name = path;
	struct stat st;
	int e;

	if (path[0] != '/')
		return fail(-EPROTO, "the name '%s' does not start at the root", path);
	e = make_parents(r, path);
	if (e == -ENOTDIR)
		name = path = nearby(r, path);
	else if (e)
		return e;
	for (unsigned int i = 1; !sys_stat(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, &st, NULL); i++)
		name = arena_printf(&r->arena, "%s.torpor-%u", path, i);
	if (name != path)
		log_info("'%s' is another file by now: its deleted namesake is made as '%s'", path,
			 name);
	*ret = name;
	return 0;
}

int inode_link(struct restore *r, const char *existing, const char *path, struct made_dir *ret)
{
	struct journal *j = restore_journal(r);
	struct stat st;
	int e = inode_place(r, path, &ret->path);

	if (!e)
		e = journal_add(j, JOURNAL_UNLINK, ret->path, &ret->entry);
	if (e)
		return e;
	/* It has content from its first moment: what it will be is said before. */
	e = sys_stat(AT_FDCWD, existing, AT_SYMLINK_NOFOLLOW, &st, NULL);
	if (e)
		return fail(e, "look at '%s'", existing);
	e = journal_made(j, ret->entry, &st);
	if (e)
		return e;
	e = (int)sys(SYS_linkat, AT_FDCWD, existing, AT_FDCWD, ret->path, 0);
	return e ? fail(e, "link '%s' to '%s'", existing, ret->path) : 0;
}

int inode_unlink(struct restore *r, const char *name, uint32_t entry, bool is_dir)
{
	int e = sys_unlinkat(AT_FDCWD, name, is_dir ? AT_REMOVEDIR : 0);

	if (e && e != -ENOENT)
		return fail(e, "remove '%s'", name);
	return journal_done(restore_journal(r), entry);
}

/* Whether `name` was chosen because `path` is another file, and the two may change places. */
static int can_swap(const char *name, const char *path, bool is_dir, struct stat *ret_other)
{
	size_t len = strlen(path);
	int e;

	if (strncmp(name, path, len) || name[len] != '.')
		return 0;
	e = sys_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, ret_other, NULL);
	if (e)
		return e == -ENOENT ? 0 : fail(e, "look at '%s'", path);
	return !S_ISDIR(ret_other->st_mode) == !is_dir;
}

/* What says that these two cannot be exchanged, rather than that something is wrong. */
static bool is_impossible(long e)
{
	return e == -EINVAL || e == -EBUSY || e == -EPERM || e == -EACCES || e == -EOPNOTSUPP;
}

/* 1: the name is gone, and the file was last called `path`. 0: nothing happened. */
static int unlink_by_swap(struct restore *r, const char *name, const char *path, bool is_dir)
{
	struct journal *j = restore_journal(r);
	struct stat other;
	uint32_t entry;
	int e = can_swap(name, path, is_dir, &other);

	if (e <= 0)
		return e;
	e = journal_add(j, JOURNAL_SWAP, name, &entry);
	if (!e)
		e = journal_made(j, entry, &other);
	if (e)
		return e;
	e = (int)sys(SYS_renameat2, AT_FDCWD, name, AT_FDCWD, path, SWAP_FLAG);
	if (is_impossible(e))
		return journal_done(j, entry); /* the similar name will do */
	if (e)
		return fail(e, "exchange '%s' and '%s'", name, path);
	e = (int)sys(SYS_renameat2, AT_FDCWD, name, AT_FDCWD, path, 0);
	if (e)
		return fail(e, "move '%s' back to '%s'", name, path);
	e = journal_done(j, entry);
	return e ? e : 1;
}

int inode_unlink_as(struct restore *r, const struct made_dir *made, const char *path, bool is_dir)
{
	int e = unlink_by_swap(r, made->path, path, is_dir);

	if (e < 0)
		return e;
	return e ? journal_done(restore_journal(r), made->entry)
		 : inode_unlink(r, made->path, made->entry, is_dir);
}

int inode_unplace(struct restore *r)
{
	int first = 0;

	for (size_t i = r->inodes->made_dir.n; i-- > 0;) {
		const struct made_dir *m = &r->inodes->made_dir.v[i];
		int e = inode_unlink(r, m->path, m->entry, true);

		first = first ? first : e;
	}
	r->inodes->made_dir.n = 0;
	return first;
}

/* --- names that stay -----------------------------------------------------------------------------
 */

int inode_put(struct restore *r, const char *made, const char *path)
{
	struct journal *j = restore_journal(r);
	struct put_name *p = vec_push(&r->arena, &r->inodes->put);
	struct stat st;
	int e = sys_stat(AT_FDCWD, made, AT_SYMLINK_NOFOLLOW, &st, NULL);

	if (e)
		return fail(e, "look at '%s'", made);
	p->path = path;
	e = inode_place(r, path, &p->name);
	e = e ?: journal_add(j, JOURNAL_UNLINK, p->name, &p->entry);
	e = e ?: journal_made(j, p->entry, &st);
	if (e)
		return e;
	e = (int)sys(SYS_renameat2, AT_FDCWD, made, AT_FDCWD, p->name, KEEP_FLAG);
	if (e)
		return fail(e, "move '%s' to '%s'", made, p->name);
	p->moved = true;
	if (p->name == path)
		return 0;
	e = sys_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &p->old, NULL);
	if (e)
		return fail(e, "look at '%s'", path);
	e = journal_add(j, JOURNAL_SWAP, p->name, &p->swap_entry);
	e = e ?: journal_made(j, p->swap_entry, &p->old);
	if (e)
		return e;
	e = (int)sys(SYS_renameat2, AT_FDCWD, p->name, AT_FDCWD, path, SWAP_FLAG);
	p->swapped = !e;
	return e ? fail(e, "exchange '%s' and '%s'", p->name, path) : 0;
}

/* The tasks run: what was there before goes, whatever can be written. A second try is cheap. */
static int drop_old(struct restore *r, struct put_name *p)
{
	struct journal *j = restore_journal(r);
	int e = journal_done(j, p->swap_entry);

	e = e ?: journal_made(j, p->entry, &p->old); /* not the file that is in use now */
	if (sys_unlinkat(AT_FDCWD, p->name, 0))
		return inode_unlink(r, p->name, p->entry, false) ?: e;
	return journal_done(j, p->entry) ?: e;
}

static int take_back(struct restore *r, struct put_name *p)
{
	int e = 0;

	if (p->swapped)
		e = (int)sys(SYS_renameat2, AT_FDCWD, p->name, AT_FDCWD, p->path, SWAP_FLAG);
	if (e)
		return fail(e, "move '%s' back to '%s'", p->name, p->path);
	e = p->swapped ? journal_done(restore_journal(r), p->swap_entry) : 0;
	return e || !p->moved ? e : inode_unlink(r, p->name, p->entry, false);
}

static int end_put(struct restore *r, struct put_name *p, bool restored)
{
	if (!restored)
		return take_back(r, p);
	if (p->swapped)
		return drop_old(r, p);
	return p->moved ? journal_done(restore_journal(r), p->entry) : 0;
}

int inode_end_puts(struct restore *r, bool restored)
{
	int first = 0;

	if (!r->inodes || !r->inodes->put.n)
		return 0;
	for (size_t i = r->inodes->put.n; i-- > 0;) {
		int e = end_put(r, &r->inodes->put.v[i], restored);

		first = first ? first : e;
	}
	r->inodes->put.n = 0;
	if (r->journal)
		journal_close(r->journal);
	return first;
}
