/*
 * A set as a directory: one file per image, mode 0600, never reached through a symlink. The commit
 * record is what makes the directory a checkpoint. Its temporary file is made first and locked
 * while the set is written; its presence without the lock therefore tells of a dump that was
 * killed, whose files the next one may remove. Files that are not ours are never removed: a
 * directory that holds foreign *.img files is refused instead. Anything that does not end in .img
 * is none of our business (logs, and what container runtimes put beside the images).
 *
 * Files are made late: a filesystem may take 20 to 500 us to create one, and a tree stands still
 * while images are filled. Small ones are held in memory until the commit, within a budget.
 *
 * Durability: one syncfs over all files before the rename, one fsync of the directory after it,
 * both only when asked for.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "images/backend.h"
#include "images/format.h"

#define MARKER COMMIT_FILE ".tmp"
enum { HOLD_BYTES = 16 << 20 };

struct backend_file {
	const char *name;
	int fd;
	bool made, ended;
	VEC(struct iovec) held; /* not written yet */
};

struct dir {
	struct backend backend;
	int dirfd, marker;
	unsigned int flags;
	size_t held_bytes;
	VEC(struct backend_file *) file; /* all that were created */
};

static struct dir *dir_of(struct backend *b)
{
	return container_of(b, struct dir, backend);
}

static int dir_create(struct backend *b, const char *name, struct backend_file **ret)
{
	struct backend_file *f = arena_new(b->arena, struct backend_file);

	*f = (struct backend_file){.name = arena_strdup(b->arena, name), .fd = -1};
	*vec_push(b->arena, &dir_of(b)->file) = f;
	*ret = f;
	return 0;
}

static int write_out(struct dir *d, struct backend_file *f, const struct iovec *iov, size_t n_iov)
{
	enum { BATCH = 64 };
	struct iovec batch[BATCH];
	int r = 0;

	while (n_iov && !r) {
		int n = n_iov < BATCH ? (int)n_iov : BATCH;

		memcpy(batch, iov, sizeof(*iov) * (size_t)n);
		r = io_writev(f->fd, batch, n);
		iov += n;
		n_iov -= (size_t)n;
	}
	return r ? fail(r, "write image file '%s/%s'", d->backend.place, f->name) : 0;
}

/* From here on the file exists, with all that was held of it. */
static int make(struct dir *d, struct backend_file *f)
{
	int r = io_open_at(d->dirfd, f->name, O_WRONLY | O_CREAT | O_EXCL, 0600, &f->fd);

	if (r)
		return fail(r, "create image file '%s/%s'", d->backend.place, f->name);
	f->made = true;
	r = write_out(d, f, f->held.v, f->held.n);
	f->held.n = 0;
	return r;
}

static size_t length(const struct iovec *iov, int n_iov)
{
	size_t len = 0;

	for (int i = 0; i < n_iov; i++)
		len += iov[i].iov_len;
	return len;
}

static void hold(struct dir *d, struct backend_file *f, const struct iovec *iov, int n_iov)
{
	size_t len = length(iov, n_iov);
	char *p = arena_alloc(d->backend.arena, len);

	*vec_push(d->backend.arena, &f->held) = (struct iovec){p, len};
	d->held_bytes += len;
	for (int i = 0; i < n_iov; i++) {
		memcpy(p, iov[i].iov_base, iov[i].iov_len);
		p += iov[i].iov_len;
	}
}

static int dir_append(struct backend *b, struct backend_file *f, const struct iovec *iov, int n_iov)
{
	struct dir *d = dir_of(b);
	int r = 0;

	if (!f->made && length(iov, n_iov) <= HOLD_BYTES - d->held_bytes) {
		hold(d, f, iov, n_iov);
		return 0;
	}
	if (!f->made)
		r = make(d, f);
	return r ? r : write_out(d, f, iov, (size_t)n_iov);
}

static int dir_share(struct backend *b, struct backend_file *f)
{
	return f->made ? 0 : make(dir_of(b), f);
}

static int end(struct dir *d, struct backend_file *f)
{
	int r = io_close(&f->fd);

	return r ? fail(r, "close image file '%s/%s'", d->backend.place, f->name) : 0;
}

static int dir_finish(struct backend *b, struct backend_file *f)
{
	f->ended = true;
	return f->made ? end(dir_of(b), f) : 0;
}

static int make_all(struct dir *d)
{
	int r = 0;

	vec_foreach(f, &d->file) {
		if (r || (*f)->made)
			continue;
		r = make(d, *f);
		if (!r && (*f)->ended)
			r = end(d, *f);
	}
	return r;
}

static int dir_commit(struct backend *b, struct span content)
{
	struct dir *d = dir_of(b);
	int r = make_all(d);

	if (r)
		return r;
	r = io_pwrite(d->marker, content.p, content.len, 0);
	if (r)
		return fail(r, "write '%s/" MARKER "'", b->place);
	if (d->flags & IMAGE_SET_SYNC && (r = io_syncfs(d->dirfd)))
		return fail(r, "sync the filesystem of '%s'", b->place);
	r = io_rename_at(d->dirfd, MARKER, COMMIT_FILE);
	if (r)
		return fail(r, "rename '" MARKER "' to '" COMMIT_FILE "' in '%s'", b->place);
	if (!(d->flags & IMAGE_SET_SYNC))
		return 0;
	r = io_fsync(d->dirfd);
	return r ? fail(r, "sync directory '%s'", b->place) : 0;
}

static void remove_file(struct dir *d, const char *name)
{
	int r = io_unlink_at(d->dirfd, name);

	if (r && r != -ENOENT)
		log_warn("cannot remove '%s/%s': %s", d->backend.place, name, strerror(-r));
}

static void dir_discard(struct backend *b)
{
	struct dir *d = dir_of(b);

	/* The commit record goes first and the marker last: at every moment the rest can be told
	 * apart. */
	remove_file(d, COMMIT_FILE);
	vec_foreach(f, &d->file) {
		fd_close(&(*f)->fd);
		if ((*f)->made)
			remove_file(d, (*f)->name);
	}
	remove_file(d, MARKER);
	fd_close(&d->marker);
}

static int dir_list(struct backend *b, backend_names *ret)
{
	const size_t suffix = strlen(IMAGE_SUFFIX);
	const char *const *name;
	size_t n;
	int r = io_list(b->arena, dir_of(b)->dirfd, &name, &n);

	if (r)
		return fail(r, "read image directory '%s'", b->place);
	*ret = (backend_names){0};
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(name[i]);

		if (len > suffix && !strcmp(name[i] + len - suffix, IMAGE_SUFFIX))
			*vec_push(b->arena, ret) = name[i];
	}
	return 0;
}

static int dir_size(struct backend *b, const char *name, uint64_t *ret)
{
	int r = io_size_at(dir_of(b)->dirfd, name, ret);

	if (r == -EINVAL)
		return fail(r, "'%s/%s' is no regular file", b->place, name);
	return r && r != -ENOENT ? fail(r, "read image file '%s/%s'", b->place, name) : r;
}

static int dir_open(struct backend *b, const char *name, uint64_t size, int *ret_fd)
{
	_close_ int fd = -1;
	uint64_t found;
	/* O_NONBLOCK: a FIFO in the place of the file must not hold us up. */
	int r = io_open_at(dir_of(b)->dirfd, name, O_RDONLY | O_NONBLOCK, 0, &fd);

	if (r == -ELOOP)
		return fail(-EINVAL, "'%s/%s' is a symbolic link, not an image", b->place, name);
	if (r)
		return fail(r, "open image file '%s/%s'", b->place, name);
	r = io_size(fd, &found);
	if (r && r != -EINVAL)
		return fail(r, "read image file '%s/%s'", b->place, name);
	if (r || found != size)
		return fail(-EINVAL, "'%s/%s' is no regular file of %" PRIu64 " bytes", b->place,
			    name, size);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int dir_load(struct backend *b, const char *name, uint64_t size, struct span *ret)
{
	_close_ int fd = -1;
	int r = dir_open(b, name, size, &fd);
	char *p;

	if (r)
		return r;
	p = arena_alloc(b->arena, size);
	r = io_pread(fd, p, size, 0);
	if (r)
		return fail(r, "read image file '%s/%s'", b->place, name);
	*ret = (struct span){p, size};
	return 0;
}

static void dir_done(struct backend *b)
{
	struct dir *d = dir_of(b);

	vec_foreach(f, &d->file)
		fd_close(&(*f)->fd);
	fd_close(&d->marker);
}

static const struct backend_ops dir_ops = {
	.create = dir_create,
	.append = dir_append,
	.share = dir_share,
	.finish = dir_finish,
	.commit = dir_commit,
	.discard = dir_discard,
	.list = dir_list,
	.size = dir_size,
	.load = dir_load,
	.open = dir_open,
	.close = dir_done,
};

static struct dir *dir_new(struct arena *a, int dirfd, unsigned int flags)
{
	struct dir *d = arena_new(a, struct dir);

	d->backend = (struct backend){&dir_ops, a, io_fd_path(a, dirfd)};
	d->dirfd = dirfd;
	d->marker = -1;
	d->flags = flags;
	return d;
}

/* Takes the marker; *ret_old: it was there before, left by a dump that was killed. */
static int take_marker(struct dir *d, bool *ret_old)
{
	int r = io_open_at(d->dirfd, MARKER, O_RDWR | O_CREAT | O_EXCL, 0600, &d->marker);
	bool old = r == -EEXIST;

	if (old)
		r = io_open_at(d->dirfd, MARKER, O_RDWR | O_NONBLOCK, 0, &d->marker);
	if (r)
		return fail(r, "create '" MARKER "' in image directory '%s'", d->backend.place);
	r = io_lock(d->marker);
	if (r == -EWOULDBLOCK || !io_same_file(d->marker, d->dirfd, MARKER))
		return fail(-EINVAL, "another dump writes to '%s'", d->backend.place);
	if (r && r != -ENOLCK && r != -EOPNOTSUPP && r != -ENOSYS) /* filesystems without locks */
		return fail(r, "lock '%s/" MARKER "'", d->backend.place);
	r = old ? io_truncate(d->marker, 0) : 0;
	if (r)
		return fail(r, "truncate '%s/" MARKER "'", d->backend.place);
	*ret_old = old;
	return 0;
}

/* A file of a killed dump may have ended at any byte, the first ones included. */
static bool is_ours(struct dir *d, const char *name)
{
	unsigned char start[FORMAT_MAGIC_BYTES];
	_close_ int fd = -1;
	uint64_t size;

	if (format_is_shard(name))
		return true;
	if (io_open_at(d->dirfd, name, O_RDONLY | O_NONBLOCK, 0, &fd) || io_size(fd, &size))
		return false;
	if (size > sizeof(start))
		size = sizeof(start);
	return !io_pread(fd, start, size, 0) && format_is_image(start, size);
}

/* What an earlier set left behind goes; what we did not write stays, and we say so. */
static int clear_leftovers(struct dir *d, bool expected)
{
	backend_names name;
	int r = dir_list(&d->backend, &name);

	if (r)
		return r;
	vec_foreach(n, &name)
		if (!expected || !is_ours(d, *n))
			return fail(-EINVAL,
				    "'%s' holds '%s', which is not of this dump: "
				    "use an empty directory",
				    d->backend.place, *n);
	vec_foreach(n, &name) {
		r = io_unlink_at(d->dirfd, *n);
		if (r)
			return fail(r, "remove '%s/%s' of an unfinished dump", d->backend.place,
				    *n);
	}
	return 0;
}

/* The old commit record goes first: from then on the directory is an unfinished dump's. */
static int clear_committed(struct dir *d, bool *ret_replaced)
{
	uint64_t size;
	int r = io_size_at(d->dirfd, COMMIT_FILE, &size);

	*ret_replaced = false;
	if (r == -ENOENT)
		return 0;
	if (r && r != -EINVAL)
		return fail(r, "look for '%s/" COMMIT_FILE "'", d->backend.place);
	if (r || !(d->flags & IMAGE_SET_REPLACE) || !is_ours(d, COMMIT_FILE)) {
		(void)fail(-EINVAL, "'%s' holds a checkpoint already", d->backend.place);
		return -EEXIST;
	}
	r = io_unlink_at(d->dirfd, COMMIT_FILE);
	if (r)
		return fail(r, "remove '%s/" COMMIT_FILE "'", d->backend.place);
	*ret_replaced = true;
	return 0;
}

int dir_backend_create(struct arena *a, int dirfd, unsigned int flags, struct backend **ret)
{
	struct dir *d = dir_new(a, dirfd, flags);
	bool interrupted = false, replaced = false;
	int r = take_marker(d, &interrupted);
	bool taken = !r;

	if (!r)
		r = clear_committed(d, &replaced);
	if (!r)
		r = clear_leftovers(d, interrupted || replaced);
	if (r && taken && !interrupted && !replaced)
		remove_file(d, MARKER); /* the directory is as it was */
	if (r) {
		fd_close(&d->marker);
		return r;
	}
	*ret = &d->backend;
	return 0;
}

int dir_backend_open(struct arena *a, int dirfd, struct backend **ret)
{
	*ret = &dir_new(a, dirfd, 0)->backend;
	return 0;
}

int image_dir_open(const char *path, bool create, int *ret_fd)
{
	int r = create ? io_mkdir(path, 0700) : 0;

	if (r && r != -EEXIST)
		return fail(r, "create image directory '%s'", path);
	r = io_open_dir(path, ret_fd);
	return r ? fail(r, "image directory '%s'", path) : 0;
}
