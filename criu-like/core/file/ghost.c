/*
 * Files that are open and have no name any more, on dump: content, metadata and last name go into
 * the checkpoint, once per inode. Content is found by SEEK_DATA, so that holes stay holes, and read
 * through a description of our own with O_NOATIME, so that neither position nor times change. What
 * it costs is measured in blocks, not in length.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file/inode-space.h"
#include "kernel/descriptor.h"

enum { CHUNK_BYTES = 256 << 10, XATTR_BYTES = 64 << 10 };
static const uint64_t default_limit_bytes = 1 << 20;

static char *buffer(struct dump *d)
{
	if (!d->inodes->buffer)
		d->inodes->buffer = arena_alloc(&d->arena, CHUNK_BYTES);
	return d->inodes->buffer;
}

static int append_data(struct dump *d, uint32_t id, uint64_t offset, struct span bytes)
{
	GhostData m = GHOST_DATA__INIT;
	struct image **i = &d->inodes->data_image;
	int r = *i ? 0 : image_create(d->set, "ghost_data", i);

	m.offset = offset;
	m.bytes = (ProtobufCBinaryData){ bytes.len, (uint8_t *)bytes.p };
	return r ? r : image_append(*i, id, &m.base);
}

static int save_extent(struct dump *d, uint32_t id, int fd, uint64_t from, uint64_t to)
{
	char *buf = buffer(d);
	int r = 0;

	while (from < to && !r) {
		size_t len = to - from < CHUNK_BYTES ? to - from : CHUNK_BYTES;

		r = io_pread(fd, buf, len, from);
		if (!r)
			r = append_data(d, id, from, (struct span){ buf, len });
		from += len;
	}
	return r;
}

/* Another open would break a write lease; its holder is the only one who has the file. */
static int open_content(const struct inode_look *l)
{
	if (sys_fcntl(l->fd, F_GETLEASE, 0) == F_WRLCK)
		return sys_fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	return sys_reopen(l->fd, O_RDONLY | O_NOATIME | O_NONBLOCK);
}

static int save_content(struct dump *d, const struct inode_look *l, uint32_t id)
{
	_close_ int fd = open_content(l);
	long from = 0, to;
	int r = 0;

	if (fd < 0)
		return fail(fd, "open '%s' for reading", l->link);
	while (!r && from < l->st.st_size) {
		from = sys_lseek(fd, from, SEEK_DATA);
		if (from == -ENXIO)
			return 0;
		to = from < 0 ? from : sys_lseek(fd, from, SEEK_HOLE);
		if (to < 0)
			return fail(to, "find the data of '%s'", l->link);
		r = save_extent(d, id, fd, (uint64_t)from, (uint64_t)to);
		from = to;
	}
	return r ? fail(r, "read '%s'", l->link) : 0;
}

static void add_xattr(struct dump *d, Ghost *m, const char *name, struct span value)
{
	Xattr *x = arena_new(&d->arena, Xattr);

	xattr__init(x);
	x->name = arena_strdup(&d->arena, name);
	x->value = (ProtobufCBinaryData){ value.len, arena_memdup(&d->arena, value.p, value.len) };
	m->xattr = arena_grow(&d->arena, m->xattr, m->n_xattr * sizeof(x),
			      (m->n_xattr + 1) * sizeof(x));
	m->xattr[m->n_xattr++] = x;
}

static int save_xattrs(struct dump *d, const struct inode_look *l, Ghost *m)
{
	char path[32], *names = buffer(d), *value = names + XATTR_BYTES;
	long n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd); /* always fits */
	n = sys(SYS_listxattr, path, names, XATTR_BYTES);
	if (n < 0)
		return n == -EOPNOTSUPP ? 0 : fail(n, "list the attributes of '%s'", l->link);
	for (char *name = names; name < names + n; name += strlen(name) + 1) {
		long len = sys(SYS_getxattr, path, name, value, XATTR_BYTES);

		if (len < 0)
			return fail(len, "read the attribute %s of '%s'", name, l->link);
		add_xattr(d, m, name, (struct span){ value, (size_t)len });
	}
	return 0;
}

/* O_TMPFILE gives the name "#<inode number>"; such a file may still be linked somewhere. */
static void find_birth(struct dump *d, const struct inode_look *l, Ghost *m)
{
	const char *base = strrchr(l->path, '/');
	const char *born = arena_printf(&d->arena, "/#%" PRIu64, (uint64_t)l->st.st_ino);

	if (base && !strcmp(base, born) && S_ISREG(l->st.st_mode))
		m->has_is_tmpfile = m->is_tmpfile = true;
}

/* At most one description is the one that O_TMPFILE made. */
static void note_flags(const struct inode_look *l, Ghost *m)
{
	int flags = m->is_tmpfile ? sys_fcntl(l->fd, F_GETFL, 0) : 0;

	if (flags > 0 && flags & O_TMPFILE_BIT) {
		m->has_tmpfile_flags = true;
		m->tmpfile_flags = (uint32_t)flags;
	}
}

/* Whose directory in /proc it is; 0: no such thing. */
static pid_t dead_process(const struct inode_look *l)
{
	struct statfs fs;

	if (!S_ISDIR(l->st.st_mode) || strncmp(l->path, "/proc/", 6) ||
	    sys(SYS_fstatfs, l->fd, &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	return (pid_t)strtol(l->path + 6, NULL, 10);
}

static int fill(struct dump *d, const struct inode_look *l, Ghost *m)
{
	char target[4097];
	int r;

	m->path = (char *)l->path;
	m->mode = l->st.st_mode;
	m->uid = l->st.st_uid;
	m->gid = l->st.st_gid;
	m->size = S_ISREG(l->st.st_mode) ? (uint64_t)l->st.st_size : 0;
	m->atime_sec = l->st.st_atim.tv_sec;
	m->atime_nsec = (uint32_t)l->st.st_atim.tv_nsec;
	m->mtime_sec = l->st.st_mtim.tv_sec;
	m->mtime_nsec = (uint32_t)l->st.st_mtim.tv_nsec;
	m->has_rdev = S_ISCHR(l->st.st_mode) || S_ISBLK(l->st.st_mode);
	m->rdev = m->has_rdev ? l->st.st_rdev : 0;
	find_birth(d, l, m);
	m->dead_pid = dead_process(l);
	m->has_dead_pid = m->dead_pid > 0;
	if (!S_ISLNK(l->st.st_mode))
		return save_xattrs(d, l, m);
	r = sys_readlink(l->fd, "", target, sizeof(target));
	m->target = r < 0 ? NULL : arena_strdup(&d->arena, target);
	return r < 0 ? fail(r, "read the deleted link '%s'", l->link) : 0;
}

static int save(struct dump *d, const struct inode_look *l, uint32_t id)
{
	Ghost *m = arena_new(&d->arena, Ghost);
	int r;

	ghost__init(m);
	*vec_push(&d->arena, &d->inodes->ghost_msg) = m;
	r = fill(d, l, m);
	return !r && S_ISREG(m->mode) ? save_content(d, l, id) : r;
}

int ghost_dump_finish(struct dump *d)
{
	struct inode_space *s = d->inodes;
	struct image *i;
	int r = s->ghost_msg.n ? image_create(d->set, "ghost", &i) : 0;

	for (uint32_t id = 0; id < s->ghost_msg.n && !r; id++)
		r = image_append(i, id, &s->ghost_msg.v[id]->base);
	if (!r && s->ghost_msg.n)
		r = image_finish(i);
	return !r && s->data_image ? image_finish(s->data_image) : r;
}

static int judge(struct dump *d, const struct inode_look *l)
{
	uint64_t limit =
		d->opt->ghost_limit_bytes ? d->opt->ghost_limit_bytes : default_limit_bytes;
	uint64_t size = (uint64_t)l->st.st_blocks * 512;

	if (!S_ISREG(l->st.st_mode) || size <= limit)
		return 0;
	return inode_refuse(d, l,
			    arena_printf(&d->arena,
					 "it is deleted and holds %" PRIu64 " bytes, more than "
					 "the limit of %" PRIu64,
					 size, limit),
			    arena_printf(&d->arena, "--ghost-limit %" PRIu64, size));
}

int ghost_dump(struct dump *d, const struct inode_look *l, uint32_t *ret_id)
{
	struct inode_space *s = inode_space_of(d);
	uintptr_t id = (uintptr_t)map_get(&s->ghost_of, l->st.st_dev, l->st.st_ino);
	int r = id ? 0 : judge(d, l);

	if (!id && !r) {
		id = ++s->n_ghost;
		map_put(&s->ghost_of, l->st.st_dev, l->st.st_ino, (void *)id);
		r = save(d, l, (uint32_t)id - 1);
	}
	if (r)
		return r;
	note_flags(l, s->ghost_msg.v[id - 1]);
	*ret_id = (uint32_t)id - 1;
	return 0;
}
