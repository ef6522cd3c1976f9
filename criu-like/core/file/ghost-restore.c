/*
 * Files without a name, on restore.
 *
 * A ghost is made once under its old name and keeps it until every description, mapping and
 * directory of it is open; then the name goes, and the kernel shows "name (deleted)" again. Times
 * come last, directly before the name is removed. A file made with O_TMPFILE never gets a name: the
 * coordinator makes it anew with the flags of the description that made it, and other descriptions
 * are opened from that one; so the program may still give it a name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/build/stand-in.h"
#include "core/file/inode-space.h"
#include "core/journal.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

struct ghost_file *ghost_find(const struct inode_space *s, uint32_t id)
{
	vec_foreach(g, &s->ghost)
		if (g->id == id)
			return g;
	return NULL;
}

const char *ghost_name(const struct ghost_file *g, const char *path)
{
	vec_foreach(a, &g->alias)
		if (!strcmp(a->path, path))
			return a->name;
	return g->name;
}

void ghost_want_name(struct restore *r, struct ghost_file *g, const char *path)
{
	if (g->msg->is_tmpfile || S_ISDIR(g->msg->mode) || !strcmp(g->msg->path, path))
		return;
	vec_foreach(a, &g->alias)
		if (!strcmp(a->path, path))
			return;
	*vec_push(&r->arena, &g->alias) = (struct ghost_alias){ .path = path };
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct ghost_file *)a)->msg->path,
		      ((const struct ghost_file *)b)->msg->path);
}

static int add_data(void *c, uint32_t id, const ProtobufCMessage *m)
{
	struct restore *r = c;
	struct ghost_file *g = ghost_find(r->inodes, id);
	const GhostData *data = (const GhostData *)m;

	if (!g || data->offset > g->msg->size || data->bytes.len > g->msg->size - data->offset)
		return fail(-EPROTO, "image 'ghost_data': a piece that belongs to no file");
	*vec_push(&r->arena, &g->data) = data;
	return 0;
}

static int check_process(struct restore *r, const Ghost *m)
{
	if (m->has_dead_pid && m->dead_pid <= 0)
		return fail(-EPROTO, "image 'ghost': process %d", m->dead_pid);
	if (m->has_dead_pid && sys(SYS_kill, m->dead_pid, 0) != -ESRCH)
		(void)refuse(&r->blockers, m->dead_pid, m->path,
			     "its process was gone, and the pid is in use now",
			     "wait until that process ends"); /* collected */
	return 0;
}

static int add_ghost(void *c, uint32_t id, const ProtobufCMessage *m)
{
	struct restore *r = c;
	const Ghost *g = (const Ghost *)m;

	if (!inode_is_name(g->path))
		return fail(-EPROTO, "image 'ghost': '%s' is no path", g->path);
	*vec_push(&r->arena, &r->inodes->ghost) =
		(struct ghost_file){ .id = id, .msg = g, .fd = -1 };
	return check_process(r, g);
}

int ghost_plan(struct restore *r)
{
	int e = image_each(r->set, "ghost", &ghost__descriptor, add_ghost, r);

	if (e)
		return e;
	vec_sort(&r->inodes->ghost, by_path); /* parents first */
	return image_each(r->set, "ghost_data", &ghost_data__descriptor, add_data, r);
}

/* --- making --------------------------------------------------------------------------------------
 */

static int set_metadata(const struct ghost_file *g, const char *name)
{
	const Ghost *m = g->msg;
	long e = sys(SYS_fchownat, AT_FDCWD, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW);

	if (!e && !S_ISLNK(m->mode))
		e = sys(SYS_fchmodat, AT_FDCWD, name,
			m->mode & 07777); /* behind chown and the content */
	if (e)
		return fail(e, "set owner and mode of '%s'", name);
	for (size_t i = 0; i < m->n_xattr; i++) {
		const Xattr *x = m->xattr[i];

		e = sys(SYS_lsetxattr, name, x->name, x->value.data, x->value.len, 0);
		if (e)
			return fail(e, "set the attribute %s of '%s'", x->name, name);
	}
	return 0;
}

static int write_content(const struct ghost_file *g, int fd)
{
	int e = (int)sys(SYS_ftruncate, fd, g->msg->size);

	vec_foreach(d, &g->data)
		if (!e)
			e = io_pwrite(fd, (*d)->bytes.data, (*d)->bytes.len, (*d)->offset);
	return e;
}

static int fill_named(const struct ghost_file *g, const char *name)
{
	_close_ int fd = -1;
	int e;

	if (!S_ISREG(g->msg->mode))
		return 0;
	fd = sys_openat(AT_FDCWD, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
	e = fd < 0 ? fd : write_content(g, fd);
	return e ? fail(e, "write the content of the deleted file '%s'", name) : 0;
}

/* Empty: the journal is told which file it is before anything is in it. */
static int make_node(const struct ghost_file *g, const char *name)
{
	const Ghost *m = g->msg;

	switch (m->mode & S_IFMT) {
	case S_IFDIR: return (int)sys(SYS_mkdirat, AT_FDCWD, name, 0700);
	case S_IFLNK:
		return m->target ? (int)sys(SYS_symlinkat, m->target, AT_FDCWD, name) : -EPROTO;
	default: return (int)sys(SYS_mknodat, AT_FDCWD, name, (m->mode & S_IFMT) | 0600, m->rdev);
	}
}

/* A directory that was made already, as the parent of another one. */
static bool adopt(struct restore *r, struct ghost_file *g)
{
	struct inode_space *s = r->inodes;

	if (!S_ISDIR(g->msg->mode))
		return false;
	vec_foreach(d, &s->made_dir)
		if (!strcmp(d->path, g->msg->path)) {
			g->name = g->msg->path;
			return true;
		}
	return false;
}

static int make_named(struct restore *r, struct ghost_file *g)
{
	struct journal *j = restore_journal(r);
	const char *name;
	struct stat st;
	int e;

	if (adopt(r, g))
		return set_metadata(g, g->name);
	e = inode_place(r, g->msg->path, &name);
	if (!e)
		e = journal_add(j, S_ISDIR(g->msg->mode) ? JOURNAL_RMDIR : JOURNAL_UNLINK, name,
				&g->entry);
	if (e)
		return e;
	g->name = name;
	e = make_node(g, name);
	if (!e)
		e = sys_stat(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, &st, NULL);
	if (e)
		return fail(e, "make the deleted file '%s' again", name);
	e = journal_made(j, g->entry, &st);
	if (!e)
		e = fill_named(g, name);
	return e ? e : set_metadata(g, name);
}

static int make_aliases(struct restore *r, struct ghost_file *g)
{
	vec_foreach(a, &g->alias) {
		struct made_dir made;
		int e = inode_link(r, g->name, a->path, &made);

		if (e)
			return e;
		a->name = made.path;
		a->entry = made.entry;
	}
	return 0;
}

static int make_nameless(struct restore *r, struct ghost_file *g)
{
	const char *end = strrchr(g->msg->path, '/');
	const char *dir = arena_strndup(&r->arena, g->msg->path, (size_t)(end - g->msg->path));
	int flags = g->msg->has_tmpfile_flags ? (int)g->msg->tmpfile_flags : O_TMPFILE_BIT | O_RDWR;
	const struct timespec times[2] = { { g->msg->atime_sec, g->msg->atime_nsec },
					   { g->msg->mtime_sec, g->msg->mtime_nsec } };
	_close_ int fd = sys_openat(AT_FDCWD, *dir ? dir : "/",
				    (flags & ~(O_ASYNC | O_DIRECT)) | O_TMPFILE | O_CLOEXEC, 0600);
	_close_ int own = fd < 0 ? -1 : sys_reopen(fd, O_RDWR);
	char name[32];
	int e = fd < 0 ? fd : own < 0 ? own : write_content(g, own);

	if (e)
		return fail(e, "make a file without a name in '%s'", dir);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", own); /* always fits */
	e = (int)sys(SYS_fchown, own, g->msg->uid, g->msg->gid);
	if (!e)
		e = (int)sys(SYS_fchmod, own, g->msg->mode & 07777);
	for (size_t i = 0; i < g->msg->n_xattr && !e; i++)
		e = (int)sys(SYS_setxattr, name, g->msg->xattr[i]->name,
			     g->msg->xattr[i]->value.data, g->msg->xattr[i]->value.len, 0);
	if (!e)
		e = (int)sys(SYS_utimensat, own, NULL, times, 0);
	if (!e && flags & O_DIRECT)
		e = sys_fcntl(fd, F_SETFL, flags);
	g->fd = e ? -1 : take_fd(&fd);
	return e ? fail(e, "set owner, mode and times of a file without a name") : 0;
}

bool inode_stands_in(const struct restore *r, pid_t pid)
{
	vec_foreach(g, &r->inodes->ghost)
		if (g->stands_in && g->msg->dead_pid == pid)
			return true;
	return false;
}

/* It is entered while a process with that pid exists; the name goes with the process. */
static int make_process(struct restore *r, struct ghost_file *g)
{
	int e = inode_stands_in(r, g->msg->dead_pid) ? 0 : stand_in_start(g->msg->dead_pid);

	if (e)
		return e;
	g->stands_in = !inode_stands_in(r, g->msg->dead_pid);
	g->name = g->msg->path;
	return 0;
}

int ghost_create_all(struct restore *r)
{
	vec_foreach(g, &r->inodes->ghost) {
		int e = g->msg->has_dead_pid ? make_process(r, g)
			: g->msg->is_tmpfile ? make_nameless(r, g)
					     : make_named(r, g);

		if (!e && g->name)
			e = make_aliases(r, g);
		if (e)
			return e;
	}
	return 0;
}

/* --- removing ------------------------------------------------------------------------------------
 */

static int remove_one(struct restore *r, struct ghost_file *g)
{
	const struct timespec times[2] = { { g->msg->atime_sec, g->msg->atime_nsec },
					   { g->msg->mtime_sec, g->msg->mtime_nsec } };
	int e;

	fd_close(&g->fd);
	if (g->stands_in)
		stand_in_end(g->msg->dead_pid);
	g->stands_in = false;
	if (!g->name || g->msg->has_dead_pid)
		return 0;
	vec_foreach(a, &g->alias)
		if (a->name)
			(void)inode_unlink_as(r, &(struct made_dir){ a->name, a->entry }, a->path,
					      false); /* reported there, and in the journal */
	(void)sys(SYS_utimensat, AT_FDCWD, g->name, times,
		  AT_SYMLINK_NOFOLLOW); /* fails only if it was not made */
	e = adopt(r, g) ? 0
			: inode_unlink_as(r, &(struct made_dir){ g->name, g->entry }, g->msg->path,
					  S_ISDIR(g->msg->mode));
	g->name = NULL;
	return e;
}

int ghost_remove_all(struct restore *r)
{
	struct inode_space *s = r->inodes;
	int first = 0, e;

	for (size_t i = s->ghost.n; i-- > 0;) {
		e = remove_one(r, &s->ghost.v[i]);
		first = first ? first : e;
	}
	e = inode_unplace(r);
	if (r->journal && !s->put.n)
		journal_close(r->journal);
	return first ? first : e;
}
