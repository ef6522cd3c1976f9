/*
 * Binding names. bind(2) makes a new file under exactly the text it is given, and that text is what
 * getsockname() tells for ever. So a short-lived process whose root is an empty directory beside
 * the wanted place binds the text there (absolute or relative, its parents made first), and the
 * file is moved to its place, where it replaces the dead socket file of before at once. A name
 * whose file is gone is bound in a file system that only this process sees, and vanishes with it.
 * Others reach a bound socket through an O_PATH descriptor of its file (SIOCUNIXFILE), whatever
 * lies on the way. Mode and owner of the files come last: users who could not connect now did so
 * before.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/build/stand-in.h"
#include "core/file/inode.h"
#include "core/journal.h"
#include "kernel/descriptor.h"
#include "kernel/own.h"
#include "sock/unix.h"

#define UNIX_FILE 0x89e0 /* SIOCUNIXFILE */

struct made_path {
	const char *path;
	uint32_t entry;
};
struct place { /* where one name is bound */
	struct unix_address *a;
	const char *root;	       /* NULL: a ghost */
	const char *file;	       /* below root, from the tool's point of view */
	VEC(struct made_path) dir;     /* in the order they were made, root first */
	uint32_t entry;		       /* of the file */
};
struct binding {
	struct arena *arena;
	VEC(struct place) place;
	int root_fd;
	bool ghosts; /* those, or the others */
};

void unix_sockaddr(const struct unix_address *a, struct sockaddr_un *ret, uint32_t *ret_len)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (a->path >= 0) {
		*ret_len = (uint32_t)(sizeof(sa_family_t) +
				      (size_t)snprintf(ret->sun_path, sizeof(ret->sun_path),
						       "/proc/self/fd/%d", a->path));
		return;
	}
	memcpy(ret->sun_path, a->name.data, a->name.len);
	*ret_len = (uint32_t)(sizeof(sa_family_t) + a->name.len);
}

int unix_connect(int fd, const struct unix_address *a)
{
	struct sockaddr_un name;
	uint32_t len;

	unix_sockaddr(a, &name, &len);
	return (int)sys(SYS_connect, fd, &name, len);
}

static int bind_text(const struct unix_address *a)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	memcpy(name.sun_path, a->name.data, a->name.len);
	return (int)sys(SYS_bind, a->owner ? unix_fd(a->owner) : a->socket, &name,
			sizeof(sa_family_t) + a->name.len);
}

/* --- beside the place ----------------------------------------------------------------------------
 */

static int make_dir(struct restore *r, struct place *p, const char *path)
{
	struct journal *j = restore_journal(r);
	uint32_t entry;
	struct stat st;
	int e = journal_add(j, JOURNAL_RMDIR, path, &entry);

	if (e)
		return e;
	e = (int)sys(SYS_mkdirat, AT_FDCWD, path, 0700);
	if (e == -EEXIST)
		return journal_done(j, entry); /* the text goes through it twice */
	if (e)
		return fail(e, "make the directory '%s'", path);
	*vec_push(&r->arena, &p->dir) = (struct made_path){ path, entry };
	e = sys_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st, NULL);
	return e ? fail(e, "look at '%s'", path) : journal_made(j, entry, &st);
}

/* Makes the directories that the text goes through; p->file is where it ends. */
static int make_way(struct restore *r, struct place *p)
{
	const char *text = arena_strndup(&r->arena, (const char *)p->a->name.data,
					 p->a->name.len);
	const char *at = p->root;
	int e = 0;

	while (!e) {
		size_t n = strcspn(text, "/");
		bool last = !text[n];

		if (n == 2 && !memcmp(text, "..", 2)) {
			if (strcmp(at, p->root))
				at = arena_strndup(&r->arena, at,
						   (size_t)(strrchr(at, '/') - at));
		} else if (n && !(n == 1 && *text == '.')) {
			at = arena_printf(&r->arena, "%s/%.*s", at, (int)n, text);
			e = last ? 0 : make_dir(r, p, at);
		}
		if (last)
			break;
		text += n + 1;
	}
	p->file = at;
	return e;
}

static int prepare(struct restore *r, struct place *p)
{
	int e;

	if (!p->a->file || p->a->file->deleted)
		return 0;
	e = inode_place(r, arena_printf(&r->arena, "%s.torpor-0", p->a->file->path), &p->root);
	e = e ?: make_dir(r, p, p->root);
	e = e ?: make_way(r, p);
	return e ?: journal_add(restore_journal(r), JOURNAL_UNLINK, p->file, &p->entry);
}

static int put(struct restore *r, struct place *p)
{
	struct journal *j = restore_journal(r);
	struct stat st;
	int e = sys_stat(AT_FDCWD, p->file, AT_SYMLINK_NOFOLLOW, &st, NULL);

	if (e)
		return fail(e, "look at '%s'", p->file);
	e = journal_made(j, p->entry, &st);
	e = e ?: inode_put(r, p->file, p->a->file->path);
	e = e ?: journal_done(j, p->entry);
	for (size_t i = p->dir.n; i-- > 0 && !e;) {
		e = sys_unlinkat(AT_FDCWD, p->dir.v[i].path, AT_REMOVEDIR);
		e = e ? fail(e, "remove '%s'", p->dir.v[i].path)
		      : journal_done(j, p->dir.v[i].entry);
	}
	return e;
}

/* --- in the short-lived process ------------------------------------------------------------------
 */

static int bind_beside(const struct binding *b, const struct place *p)
{
	int e = (int)sys(SYS_chroot, p->root);

	e = e ?: (int)sys(SYS_chdir, "/");
	e = e ?: bind_text(p->a);
	e = e ?: sys_fchdir(b->root_fd);
	return e ?: sys_chroot_here();
}

static int make_parents(const struct unix_address *a)
{
	char text[UNIX_NAME_BYTES + 1] = { 0 };
	int e = 0;

	memcpy(text, a->name.data, a->name.len);
	for (char *p = strchr(text + 1, '/'); p && !e; p = strchr(p + 1, '/')) {
		*p = 0;
		e = (int)sys(SYS_mkdirat, AT_FDCWD, text, 0700);
		e = e == -EEXIST ? 0 : e;
		*p = '/';
	}
	return e;
}

static int bind_ghost(const struct unix_address *a)
{
	char text[UNIX_NAME_BYTES + 1] = { 0 };
	int e = make_parents(a);

	memcpy(text, a->name.data, a->name.len);
	e = e ?: bind_text(a);
	return e ?: sys_unlinkat(AT_FDCWD, text, 0);
}

/* A file system of its own, over a directory that is always there. */
static int go_private(void)
{
	static const char at[] = "/proc";
	long e = sys(SYS_unshare, CLONE_NEWNS);

	e = e ?: sys(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	e = e ?: sys(SYS_mount, "torpor", at, "tmpfs", 0, NULL);
	e = e ?: sys(SYS_chroot, at);
	return (int)(e ?: sys(SYS_chdir, "/"));
}

static int bind_inside(void *arg)
{
	const struct binding *b = arg;
	int e = b->ghosts ? go_private() : 0;

	(void)sys_umask(0);
	vec_foreach(p, &b->place) {
		if (e || !p->root != b->ghosts)
			continue;
		e = b->ghosts ? bind_ghost(p->a) : bind_beside(b, p);
	}
	return e;
}

static int bind_elsewhere(struct binding *b, bool ghosts)
{
	const struct stand_in s = {
		.uid = (uid_t)-1, .gid = (gid_t)-1, .inside = bind_inside, .arg = b
	};
	bool any = false;
	int e;

	vec_foreach(p, &b->place)
		any |= !p->root == ghosts;
	b->ghosts = ghosts;
	e = any ? stand_in_run(&s) : 0;
	return e ? fail(e, "bind unix sockets to their names") : 0;
}

/* --- all of them ---------------------------------------------------------------------------------
 */

static int make_socket(struct restore *r, struct unix_address *a)
{
	if (a->owner || !a->needed)
		return 0;
	a->socket = unix_socket(a->type);
	return a->socket < 0 ? a->socket : files_set_aside(r, &a->socket);
}

static int bind_abstract(const struct unix_address *a)
{
	int e = bind_text(a);

	return e ? fail(e, "bind a socket to the abstract name '@%.*s'", (int)a->name.len - 1,
			(const char *)a->name.data + 1)
		 : 0;
}

/* A descriptor of the file, for whoever connects and for its mode. */
static int open_file(struct restore *r, struct unix_address *a)
{
	if (!a->needed && !a->file)
		return 0;
	a->path = sys_ioctl(a->owner ? unix_fd(a->owner) : a->socket, UNIX_FILE, NULL);
	if (a->path < 0)
		return fail(a->path, "open the file of a bound socket");
	return files_set_aside(r, &a->path);
}

int unix_addresses_bind(struct unix_world *w)
{
	struct binding b = { .arena = &w->r->arena };
	_close_ int root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	int e = root < 0 ? fail(root, "open the root directory") : 0;

	b.root_fd = root;
	vec_foreach(a, &w->address) {
		struct place *p;

		e = e ?: make_socket(w->r, *a);
		if (e || (!(*a)->owner && !(*a)->needed))
			continue;
		if (!unix_is_path(&(*a)->name)) {
			e = bind_abstract(*a);
			continue;
		}
		p = vec_push(b.arena, &b.place);
		p->a = *a;
		e = prepare(w->r, p);
	}
	e = e ?: bind_elsewhere(&b, false);
	e = e ?: bind_elsewhere(&b, true);
	vec_foreach(p, &b.place) {
		e = e || !p->root ? e : put(w->r, p);
		e = e ?: open_file(w->r, p->a);
	}
	return e;
}

static int settle_file(const struct unix_address *a)
{
	char path[32];
	struct stat st;
	long e = sys_stat(a->path, "", 0, &st, NULL);

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", a->path); /* always fits */
	if (!e && (st.st_uid != a->file->uid || st.st_gid != a->file->gid))
		e = sys(SYS_fchownat, a->path, "", a->file->uid, a->file->gid, AT_EMPTY_PATH);
	if (!e && st.st_mode != a->file->mode)
		e = sys(SYS_fchmodat, AT_FDCWD, path, a->file->mode & 07777);
	return e ? fail(e, "give the socket '%s' its owner and mode", a->file->path) : 0;
}

int unix_addresses_settle(struct unix_world *w)
{
	int e = 0;

	vec_foreach(a, &w->address) {
		if (!e && (*a)->path >= 0 && (*a)->file)
			e = settle_file(*a);
		fd_close(&(*a)->path);
		fd_close(&(*a)->socket);
	}
	return e;
}
