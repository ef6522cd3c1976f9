/*
 * Shared memory without a name in the file system: MAP_SHARED | MAP_ANONYMOUS and memfds, both
 * unlinked files of the kernel's own tmpfs, or of its hugetlbfs if they are made of huge pages.
 * They are known by device and inode, whoever maps or holds them, and saved once.
 *
 * A memfd is made by memfd_create(2), anonymous memory by mmap(2) and opened through map_files, so
 * that maps calls it "/dev/zero" again. A mapping made from a description that was not open for
 * writing can never become writable; that is a view of the object, opened for reading.
 * Seals: F_SEAL_WRITE exists only while no writable mapping does, so all seals are set before
 * anything is mapped, and mappings made then look as they did. F_SEAL_FUTURE_WRITE may have come
 * after a writable mapping: it is set when everything is mapped, and mappings that came after it
 * are made from the view (smaps then shows no "sh", which nothing depends on). The description that
 * memfd_create() made does not count as a writer, so that execveat() works; the first descriptor
 * for reading and writing gets it. Times and extended attributes are not kept.
 */
#include "core/memory/shared-object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "core/memory/memory-dump.h"
#include "kernel/descriptor.h"
#include "shmem.pb-c.h"

enum {
	GET_SEALS = 1034, ADD_SEALS = 1033, SEAL_WRITE = 8, SEAL_FUTURE_WRITE = 16, SEAL_EXEC = 32,
	ALL_SEALS = 63, MFD_NOEXEC_SEAL_6_3 = 8, MFD_EXEC_6_3 = 16, HUGE_SHIFT_AT = 26,
	NAME_MOST = 249,
	/* What F_SETFL can change of the description that memfd_create() made. */
	SETTABLE = O_APPEND | O_NONBLOCK | O_NOATIME | O_ASYNC | O_DIRECT,
};
static const char prefix[] = "/memfd:", suffix[] = " (deleted)";

/* --- dump --------------------------------------------------------------------------------------
 */
static int find_device(struct memory *m)
{
	struct stat st;
	_close_ int fd = (int)sys(SYS_memfd_create, "", MFD_CLOEXEC);
	int r = fd < 0 ? fd : sys_stat(fd, "", 0, &st, NULL);

	if (!r)
		m->shm_dev = st.st_dev;
	return r;
}

bool shared_device(struct dump *d, uint64_t dev, long fs_type)
{
	struct memory *m = memory_state(d);

	if (fs_type == HUGETLBFS_MAGIC)
		return true;
	if (!m->shm_dev && find_device(m))
		return true; /* by name it is; what else it may be would lose its content */
	return dev == m->shm_dev;
}

/* "/memfd:NAME (deleted)" -> NAME; NULL: another sort. */
static const char *memfd_name(struct arena *a, const char *link)
{
	size_t len = strlen(link), rest = sizeof(prefix) - 1 + sizeof(suffix) - 1;

	if (strncmp(link, prefix, sizeof(prefix) - 1) || len < rest)
		return NULL;
	return arena_strndup(a, link + sizeof(prefix) - 1, len - rest);
}

static int read_name(struct dump *d, int fd, const char **ret)
{
	char path[40], link[4097];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = sys_readlink(AT_FDCWD, path, link, sizeof(link));
	if (r < 0)
		return fail(r, "read the name of shared memory");
	*ret = memfd_name(&d->arena, link);
	return 0;
}

static int describe(struct dump *d, const struct shared_probe *p, const struct stat *st,
		    Shmem *m)
{
	struct statfs fs;
	const char *name;
	int r = (int)sys(SYS_fstatfs, p->fd, &fs) ?: read_name(d, p->fd, &name), seals;

	if (r)
		return fail(r, "look at shared memory");
	m->size = (uint64_t)st->st_size;
	m->has_mode = m->has_uid = m->has_gid = 1;
	m->mode = st->st_mode & 07777;
	m->uid = st->st_uid;
	m->gid = st->st_gid;
	m->name = (char *)(uintptr_t)name; /* only read */
	m->has_page_shift = fs.f_type == HUGETLBFS_MAGIC;
	m->page_shift = m->has_page_shift ? (uint32_t)__builtin_ctzl((unsigned long)fs.f_bsize) : 0;
	if (!name)
		return 0;
	seals = sys_fcntl(p->fd, GET_SEALS, 0);
	if (seals < 0 || seals & ~ALL_SEALS)
		return fail(seals < 0 ? seals : -ENOTSUP, "seals of memfd '%s'", name);
	m->has_seals = 1;
	m->seals = (uint32_t)seals;
	return 0;
}

static int append(struct dump *d, const struct shared_probe *p, const struct stat *st, uint32_t id)
{
	Shmem m = SHMEM__INIT;
	int r = describe(d, p, st, &m);

	if (r)
		return r;
	m.has_content = m.size > 0;
	if (m.has_content)
		m.content = memory_queue_content(d, p->dir_fd, p->path);
	return memory_append_object(d, mem_kind_find(VMA__KIND__SHMEM), id, &m.base);
}

int shared_object(struct dump *d, const struct shared_probe *p, bool view, uint32_t *ret_id)
{
	const struct mem_kind *k = mem_kind_find(VMA__KIND__SHMEM);
	Shmem m = SHMEM__INIT;
	uint32_t base, id;
	struct stat st;
	bool is_new;
	int r = sys_stat(p->fd, "", 0, &st, NULL);

	if (r)
		return fail(r, "look at shared memory");
	base = id = memory_object_id(d, k, st.st_ino, st.st_dev << 1, &is_new);
	r = is_new ? append(d, p, &st, id) : 0;
	if (r || !view) {
		*ret_id = id;
		return r;
	}
	id = memory_object_id(d, k, st.st_ino, st.st_dev << 1 | 1, &is_new);
	*ret_id = id;
	if (!is_new)
		return 0;
	m.size = (uint64_t)st.st_size;
	m.has_view_of = 1;
	m.view_of = base;
	return memory_append_object(d, k, id, &m.base);
}

/* --- restore -----------------------------------------------------------------------------------
 */
static struct mem_object *find(struct restore *r, uint32_t id)
{
	return id < r->memory->object[VMA__KIND__SHMEM].n ?
		       &r->memory->object[VMA__KIND__SHMEM].v[id] : NULL;
}

static bool whole_pages(const Shmem *m)
{
	uint32_t shift = m->has_page_shift ? m->page_shift : 12;

	return shift >= 12 && shift <= 30 &&
	       (!m->has_page_shift || !(m->size & ((1u << shift) - 1)));
}

int shared_object_check(struct restore *r, uint32_t id)
{
	const struct mem_object *o = find(r, id);

	return o && !((const Shmem *)o->msg)->has_view_of
		       ? 0
		       : fail(-EPROTO, "shared memory %" PRIu32 " is missing", id);
}

int shared_object_plan(struct restore *r, const struct mem_object *o)
{
	const Shmem *m = o->msg;

	if (m->has_view_of)
		return m->view_of < o->id ? shared_object_check(r, m->view_of) :
			fail(-EPROTO, "shared memory %" PRIu32 " stands for a later one", o->id);
	if (m->size >> 47 || !whole_pages(m))
		return fail(-EPROTO, "shared memory %u has the size %" PRIu64, o->id, m->size);
	if (m->mode & ~07777u || m->seals & ~(uint32_t)ALL_SEALS ||
	    (m->name && strlen(m->name) > NAME_MOST))
		return fail(-EPROTO, "shared memory %u has wrong attributes", o->id);
	if (m->has_page_shift)
		memory_need_huge(r, m->page_shift, m->size);
	return m->has_content ? memory_check_content(r, m->content, m->size) : 0;
}

static uint64_t mapped_size(const Shmem *m)
{
	uint64_t page = 1ull << (m->has_page_shift ? m->page_shift : 12);

	return m->size ? (m->size + page - 1) & -page : page;
}

static int huge_flags(const Shmem *m, int flag)
{
	return m->has_page_shift ? flag | (int)(m->page_shift << HUGE_SHIFT_AT) : 0;
}

/* From 6.3 on a sysctl decides for those who do not say whether it may be executed. */
static int make_memfd(const Shmem *m)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING |
			     (unsigned int)huge_flags(m, MFD_HUGETLB);
	bool noexec = m->seals & SEAL_EXEC && !(m->mode & 0111);
	int fd = (int)sys(SYS_memfd_create, m->name,
			  flags | (noexec ? MFD_NOEXEC_SEAL_6_3 : MFD_EXEC_6_3));

	if (fd == -EINVAL && !noexec)
		fd = (int)sys(SYS_memfd_create, m->name, flags);
	return fd < 0 ? fail(fd, "make memfd '%s'", m->name) : fd;
}

static int make_anonymous(const Shmem *m)
{
	uint64_t size = mapped_size(m);
	long at = sys(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | huge_flags(m, MAP_HUGETLB), -1,
		      0);
	_unmap_ struct mapping map = { NULL, size };
	char path[80];
	int fd;

	if (at < 0)
		return fail(at, "make shared memory of %" PRIu64 " bytes", size);
	map.p = (void *)at;
	(void)snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", at, at + (long)size);
	fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	return fd < 0 ? fail(fd, "open '%s'", path) : fd;
}

static int load(struct restore *r, const Shmem *m, int fd)
{
	_unmap_ struct mapping map = { NULL, mapped_size(m) };
	long at;

	if (!m->has_content || !m->size)
		return 0;
	at = sys(SYS_mmap, 0, map.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at < 0)
		return fail(at, "map shared memory of %" PRIu64 " bytes", m->size);
	map.p = (void *)at;
	return memory_load_content(r, m->content, map.p, mapped_size(m));
}

static int set_attributes(const Shmem *m, int fd)
{
	struct stat st;
	long r = sys_stat(fd, "", 0, &st, NULL);

	if (!r && (uint64_t)st.st_size != m->size)
		r = sys(SYS_ftruncate, fd, m->size);
	if (!r && m->has_uid && (m->uid != st.st_uid || m->gid != st.st_gid))
		r = sys(SYS_fchown, fd, m->uid, m->gid);
	if (!r && m->has_mode && m->mode != (st.st_mode & 07777))
		r = sys(SYS_fchmod, fd, m->mode);
	return r ? fail(r, "set size, owner and mode of shared memory '%s'", m->name ? m->name : "")
		 : 0;
}

static bool seals_late(const Shmem *m)
{
	return m->seals & SEAL_FUTURE_WRITE && !(m->seals & SEAL_WRITE);
}

static int seal(const Shmem *m, int fd)
{
	int r = sys_fcntl(fd, ADD_SEALS, (long)m->seals);

	return r < 0 ? fail(r, "seal memfd '%s'", m->name) : 0;
}

/* What the caller hands over in the place of a memfd: --inherit-fd 'fd[N]:/memfd:NAME'. */
static int inherited(struct restore *r, const Shmem *m)
{
	const size_t len = sizeof(prefix) - 1, name = m->name ? strlen(m->name) : 0;

	for (const struct inherit_fd *i = r->opt ? r->opt->inherit : NULL; i && i->key; i++) {
		const char *key = i->key + (*i->key == '/');

		if (!m->name || strncmp(key, prefix + 1, len - 1) ||
		    strncmp(key + len - 1, m->name, name))
			continue;
		key += len - 1 + name;
		if (!*key || !strcmp(key, suffix))
			return i->fd;
	}
	return -1;
}

static int take_inherited(int from, int *ret_fd)
{
	int fd = sys_fcntl(from, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail(fd, "take over descriptor %d of the caller", from);
	*ret_fd = fd;
	return 0;
}

static int make(struct restore *r, const Shmem *m, int *ret_fd)
{
	int e, base, from = inherited(r, m);
	_close_ int fd = -1;

	if (from >= 0)
		return take_inherited(from, ret_fd);

	if (m->has_view_of) {
		e = shared_object_fd(r, m->view_of, &base);
		fd = e ? e : sys_reopen(base, O_RDONLY | O_CLOEXEC);
		if (!e && fd < 0)
			(void)fail(fd, "open shared memory for reading");
	} else {
		fd = m->name ? make_memfd(m) : make_anonymous(m);
	}
	if (fd < 0)
		return fd;
	e = m->has_view_of ? 0 : set_attributes(m, fd) ?: load(r, m, fd);
	if (!e && m->name && !seals_late(m))
		e = seal(m, fd);
	if (!e)
		*ret_fd = take_fd(&fd);
	return e;
}

int shared_object_fd(struct restore *r, uint32_t id, int *ret_fd)
{
	struct mem_object *o = find(r, id);
	int e = o->fd >= 0 ? 0 : make(r, o->msg, &o->fd);

	if (!e)
		*ret_fd = o->fd;
	return e;
}

int shared_object_open(struct restore *r, uint32_t id, uint64_t flags)
{
	struct mem_object *o = find(r, id);
	const Shmem *m = o->msg;
	bool is_new = o->fd < 0;
	int fd, base, e = shared_object_fd(r, id, &base);
	uint64_t other = flags & ~(uint64_t)(SETTABLE | KERNEL_O_LARGEFILE);

	if (!e && is_new) /* numbers that are kept for descriptions stay free */
		e = files_move_away(r, &o->fd);
	if (e)
		return e;
	base = o->fd;
	if (o->taken || !m->name || other != O_RDWR) {
		fd = sys_reopen(base, (int)(flags & ~(uint64_t)O_ASYNC) | O_CLOEXEC);
		return fd < 0 ? fail(fd, "open memfd '%s'", m->name ? m->name : "") : fd;
	}
	o->taken = true;
	fd = sys_fcntl(base, F_DUPFD_CLOEXEC, 0);
	e = fd < 0 ? fd : sys_fcntl(fd, F_SETFL, (long)(flags & (SETTABLE & ~O_ASYNC)));
	return e < 0 ? fail(e, "take over memfd '%s'", m->name) : fd;
}

int memory_settle(struct restore *r)
{
	int e = 0;

	vec_foreach(o, &r->memory->object[VMA__KIND__SHMEM]) {
		const Shmem *m = o->msg;

		if (!e && m->name && seals_late(m) && o->fd >= 0 && inherited(r, m) < 0)
			e = seal(m, o->fd);
	}
	return e;
}
