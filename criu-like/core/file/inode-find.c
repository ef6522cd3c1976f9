/*
 * A name for a file of which only the numbers are known: watches of inotify and fanotify hold an
 * inode, and fdinfo tells its number, its superblock and, where the file system makes them, a
 * handle.
 *
 * First come the files that the tree has open, because a deleted one can be found nowhere else;
 * then the handle, which is opened without a trace (O_PATH; the mount is given as the working
 * directory, because the call takes no O_PATH descriptor and opening a directory would itself be an
 * event); last, for file systems whose handles cannot be opened (overlayfs), a walk through the
 * directories that the tree uses and then the mount, bounded. The walk opens directories, which
 * somebody who watches them for IN_OPEN can see.
 */
#include "core/file/inode-find.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file/file.h"
#include "core/file/inode-space.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/proc-mountinfo.h"

enum { HANDLE_BYTES = 128, WALK_DIRECTORIES = 20000, ENTRIES_BYTES = 32 << 10 };

struct handle { /* struct file_handle */
	uint32_t bytes;
	int32_t type;
	uint8_t handle[HANDLE_BYTES];
};

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_handle(struct arena *a, struct span line, struct inode_number *n)
{
	struct span text;
	uint64_t bytes, type;
	uint8_t *handle;

	if (fdinfo_word_u64(line, "fhandle-bytes", 16, &bytes) ||
	    fdinfo_word_u64(line, "fhandle-type", 16, &type) ||
	    fdinfo_word(line, "f_handle", &text))
		return 0; /* this file system has none */
	if (bytes > HANDLE_BYTES || text.len != 2 * bytes || type > INT32_MAX)
		return -EINVAL;
	handle = arena_alloc(a, bytes + 1);
	for (size_t i = 0; i < bytes; i++) {
		int high = hex(text.p[2 * i]), low = hex(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		handle[i] = (uint8_t)(high << 4 | low);
	}
	n->handle_type = (int)type;
	n->handle_bytes = (uint32_t)bytes;
	n->handle = handle;
	return 0;
}

int inode_number_parse(struct arena *a, struct span line, struct inode_number *ret)
{
	struct inode_number n = { 0 };
	uint64_t dev;
	int r = fdinfo_word_u64(line, "ino", 16, &n.ino) ?: fdinfo_word_u64(line, "sdev", 16, &dev)
							 ?: parse_handle(a, line, &n);

	if (r)
		return -EINVAL;
	n.dev = makedev(dev >> 20, dev & 0xfffff);
	*ret = n;
	return 0;
}

/* --- mounts -------------------------------------------------------------------------------------
 */

struct mount_entry {
	int fd;
};

/* The mount's root must be what the name leads to: another mount may hide it. */
static int open_mount(struct dump *d, uint64_t dev)
{
	struct mountinfo m;
	struct span text;
	int r = io_slurp_at(&d->arena, AT_FDCWD, "/proc/self/mountinfo", &text);

	if (r)
		return fail(r, "read the mounts");
	while ((r = mountinfo_next(&text, &m)) > 0) {
		_close_ int fd = -1;
		uint32_t id;
		struct stat st;

		if (makedev(m.major, m.minor) != dev)
			continue;
		fd = sys_openat(AT_FDCWD, mountinfo_unescape(&d->arena, m.point),
				O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd >= 0 && !sys_stat(fd, "", 0, &st, &id) && id == (uint32_t)m.id)
			return take_fd(&fd);
	}
	return r < 0 ? fail(r, "the kernel's list of mounts is malformed") : -ENOENT;
}

int inode_mount_of(struct dump *d, uint64_t dev)
{
	struct inode_space *s = inode_space_of(d);
	struct mount_entry *e;

	if (!s->mount_of.arena)
		map_init(&s->mount_of, &d->arena);
	e = map_get(&s->mount_of, dev, 0);
	if (!e) {
		e = arena_new(&d->arena, struct mount_entry);
		e->fd = open_mount(d, dev);
		map_put(&s->mount_of, dev, 0, e);
	}
	return e->fd;
}

/* --- ways to find it ----------------------------------------------------------------------------
 */

struct search {
	struct dump *d;
	const struct task *task;
	const struct inode_number *n;
	unsigned int directories; /* that may still be opened */
};

static bool is_it(const struct search *s, const struct stat *st)
{
	return st->st_ino == s->n->ino && st->st_dev == s->n->dev;
}

/* Through /proc, whose links lead to the file itself. */
static int open_held(const struct search *s)
{
	const struct fd_seen *seen = files_seen(s->d, s->n->dev, s->n->ino);
	struct stat st;
	char name[32];

	for (; seen; seen = seen->next) {
		(void)snprintf(name, sizeof(name), "fd/%d", seen->number); /* always fits */
		if (!sys_stat(seen->task->proc_fd, name, 0, &st, NULL) && is_it(s, &st))
			return sys_openat(seen->task->proc_fd, name, O_PATH | O_CLOEXEC, 0);
	}
	return -ENOENT;
}

/* A directory that was removed while somebody works in it. */
static int open_place(const struct search *s)
{
	static const char *const link[] = { "cwd", "root", "exe" };
	struct stat st;

	vec_foreach(t, &s->d->tree.task)
		for (size_t i = 0; i < array_size(link); i++)
			if (!sys_stat((*t)->proc_fd, link[i], 0, &st, NULL) && is_it(s, &st))
				return sys_openat((*t)->proc_fd, link[i], O_PATH | O_CLOEXEC, 0);
	return -ENOENT;
}

static int open_handle(const struct search *s)
{
	struct handle h = { .bytes = s->n->handle_bytes, .type = s->n->handle_type };
	int mount = h.bytes ? inode_mount_of(s->d, s->n->dev) : -ENOENT;
	_close_ int here = -1;
	int fd, r;

	if (mount < 0)
		return mount;
	memcpy(h.handle, s->n->handle, h.bytes);
	here = sys_openat(AT_FDCWD, ".", O_PATH | O_CLOEXEC, 0);
	r = here < 0 ? here : (int)sys(SYS_fchdir, mount);
	if (r)
		return fail(r, "go to a mount of device %" PRIx64, s->n->dev);
	fd = (int)sys(SYS_open_by_handle_at, AT_FDCWD, &h, O_PATH | O_CLOEXEC);
	r = (int)sys(SYS_fchdir, here);
	if (r && fd >= 0)
		(void)sys_close(fd); /* only a place */
	return r ? fail(r, "go back to the working directory") : fd;
}

static const char *name_of(struct dump *d, int fd)
{
	char name[32], link[4097];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd); /* always fits */
	return sys_readlink(AT_FDCWD, name, link, sizeof(link)) < 0 ? "?"
								    : arena_strdup(&d->arena, link);
}

/* What a handle opens may have no way up to the root of the mount: then its text is no name. */
static bool has_name(const struct search *s, const char *link)
{
	struct stat st;

	return !sys_stat(AT_FDCWD, link, AT_SYMLINK_NOFOLLOW, &st, NULL) && is_it(s, &st);
}

struct entry64 { /* struct linux_dirent64 */
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

typedef VEC(const char *) name_list;

static const char *look_among(struct search *s, const char *dir, const char *buf, long n,
			      name_list *below)
{
	struct stat st;

	for (long at = 0; at < n; at += ((const struct entry64 *)(buf + at))->len) {
		const struct entry64 *e = (const struct entry64 *)(buf + at);
		const char *path;

		if (!strcmp(e->name, ".") || !strcmp(e->name, "..") ||
		    (e->ino != s->n->ino && e->type != DT_DIR))
			continue;
		path = arena_printf(&s->d->arena, "%s/%s", strcmp(dir, "/") ? dir : "", e->name);
		if (has_name(s, path))
			return path;
		if (e->type == DT_DIR &&
		    !sys_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st, NULL) &&
		    st.st_dev == s->n->dev)
			*vec_push(&s->d->arena, below) = path;
	}
	return NULL;
}

static const char *look_in(struct search *s, const char *dir, name_list *below)
{
	_close_ int fd = sys_openat(AT_FDCWD, dir,
				    O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC, 0);
	char *buf = fd < 0 ? NULL : arena_alloc(&s->d->arena, ENTRIES_BYTES);
	const char *found = NULL;
	long n = 1;

	while (fd >= 0 && !found && n > 0) {
		n = sys(SYS_getdents64, fd, buf, ENTRIES_BYTES);
		found = look_among(s, dir, buf, n, below);
	}
	return found;
}

const char *inode_name_in(struct dump *d, const char *dir, const struct stat *st)
{
	struct inode_number n = { .dev = st->st_dev, .ino = st->st_ino };
	struct search s = { .d = d, .n = &n };
	name_list below = { 0 };

	return look_in(&s, dir, &below);
}

/* Breadth first: what is watched is rarely deep. */
static const char *walk(struct search *s, const char *from)
{
	name_list dir = { 0 };
	const char *found = has_name(s, from) ? from : NULL;

	*vec_push(&s->d->arena, &dir) = from;
	for (size_t i = 0; !found && i < dir.n && s->directories; i++, s->directories--)
		found = look_in(s, dir.v[i], &dir);
	return found;
}

static const char *walk_from_link(struct search *s, int proc_fd, const char *name)
{
	char link[4097];

	if (sys_readlink(proc_fd, name, link, sizeof(link)) < 0 || link[0] != '/')
		return NULL;
	return walk(s, arena_strdup(&s->d->arena, link));
}

static int open_by_walk(struct search *s)
{
	const char *found = walk_from_link(s, s->task->proc_fd, "cwd");
	int mount = found ? -1 : inode_mount_of(s->d, s->n->dev);

	if (!found && mount >= 0)
		found = walk(s, name_of(s->d, mount));
	return found ? sys_openat(AT_FDCWD, found, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0) : -ENOENT;
}

int inode_find(struct dump *d, const struct task *t, const struct inode_number *n,
	       const char *object, FileRef **ret)
{
	struct search s = { d, t, n, WALK_DIRECTORIES };
	_close_ int fd = open_held(&s);
	bool held = fd >= 0;
	int r;

	if (!held)
		fd = open_handle(&s);
	if (!held && fd >= 0 && !has_name(&s, name_of(d, fd)))
		fd_close(&fd);
	if (fd < 0)
		fd = open_place(&s);
	if (fd < 0)
		fd = open_by_walk(&s);
	if (fd < 0)
		return refuse(&d->blockers, t->pid, object,
			      arena_printf(&d->arena,
					   "it watches inode %" PRIu64 " of device %u:%u, for "
					   "which no name is found",
					   n->ino, major(n->dev), minor(n->dev)),
			      "keep the watched file open, or remove the watch");
	r = inode_describe(d, t, fd, name_of(d, fd), 0, ret);
	if (!r)
		(*ret)->has_may_grow = (*ret)->may_grow = true; /* a place, not its content */
	return r;
}
