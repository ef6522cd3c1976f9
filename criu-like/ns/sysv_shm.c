/*
 * Segments of System V shared memory. They outlive who made and who attached them, until they are
 * removed; a removed one goes with its last attachment. A segment is the tree's if a task of the
 * tree has it attached or, while nobody has, made it.
 *
 * shmctl(SHM_STAT_ANY) lists them (4.17). Content is read through a mapping of the tree, or one of
 * our own if there is none (then the kernel shows us as the last one who attached it). What is
 * attached outside, too, is not saved: at the restore it must be there still.
 * After the dump the segments of a killed tree stay in the namespace. The restore takes one that
 * nobody has attached and that has the id, key, size, owners and mode saved; its content is set
 * back. Otherwise the segment is made, with its id. A removed segment is made, attached by us and
 * removed again: it goes by itself if the restore fails. Not kept: times, and the pids of who made
 * it and who attached it last.
 */
#include "sysv_shm.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/statfs.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/memory/memory-kind.h"
#include "core/memory/sysv-segment.h"
#include "core/world.h"
#include "kernel/descriptor.h"
#include "ns/sysv-object.h"

enum { STAT_ANY = 15, INFO = 14, HUGE_SHIFT_AT = 26 };
extern const struct world_kind kind_sysv_shm;

static int control(int id, int command, struct shmid_ds *s)
{
	return (int)sys(SYS_shmctl, id, command, s);
}

/* --- dump --------------------------------------------------------------------------------------
 */

/* A descriptor of the memory of a segment that the tree has not attached. */
static int open_detached(int32_t id)
{
	long at = sys(SYS_shmat, id, 0, SHM_RDONLY);
	struct shmid_ds s;
	char path[80];
	int fd = at < 0 ? (int)at : control(id, IPC_STAT, &s);

	if (!fd) {
		uint64_t len = (s.shm_segsz + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES;

		(void)snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", at,
			       at + (long)len);
		fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	}
	if (at >= 0)
		(void)sys(SYS_shmdt, at); /* the descriptor keeps the memory */
	return fd < 0 ? fail(fd, "attach segment %" PRId32, id) : fd;
}

static int describe_memory(struct dump *d, const struct sysv_segment *s, SysvShm *m)
{
	struct sysv_segment own = { .dir_fd = -1 };
	struct statfs fs;
	int fd, r;

	fd = s ? sys_openat(s->dir_fd, s->path, O_RDONLY | O_CLOEXEC, 0)
	       : open_detached(m->perm->id);
	if (fd < 0)
		return s ? fail(fd, "open segment %" PRId32, m->perm->id) : fd;
	r = (int)sys(SYS_fstatfs, fd, &fs);
	if (!r && fs.f_type == HUGETLBFS_MAGIC) {
		m->has_page_shift = 1;
		m->page_shift = (uint32_t)__builtin_ctzl((unsigned long)fs.f_bsize);
	}
	if (!s) { /* stays open until the content is copied */
		own.path = arena_printf(&d->arena, "/proc/self/fd/%d", fd);
		s = &own;
	} else {
		fd_close(&fd);
	}
	m->has_content = !m->perm->outside;
	if (m->has_content)
		m->content = memory_queue_content(d, s->dir_fd, s->path);
	return r ? fail(r, "look at segment %" PRId32, m->perm->id) : 0;
}

static int dump_one(struct dump *d, int32_t id, const struct shmid_ds *s,
		    const struct sysv_segment *seen)
{
	SysvShm m = SYSV_SHM__INIT;
	int r;

	m.perm = sysv_perm(d, id, &s->shm_perm, s->shm_ctime);
	m.perm->key = seen ? seen->key : m.perm->key;
	m.perm->outside = s->shm_nattch > (seen ? seen->attached : 0);
	m.size = s->shm_segsz;
	m.removed = s->shm_perm.mode & SHM_DEST;
	m.locked = s->shm_perm.mode & SHM_LOCKED;
	r = describe_memory(d, seen, &m);
	return r ?: world_append(d, &kind_sysv_shm, &m.base);
}

/* One that nobody has attached belongs to who made it. */
static bool is_ours(struct dump *d, const struct shmid_ds *s)
{
	bool outside;

	return !s->shm_nattch && sysv_is_ours(d, &s->shm_cpid, 1, &outside);
}

static const struct sysv_segment *seen_as(struct dump *d, int32_t id)
{
	struct sysv_segment *const *all;
	size_t n = sysv_segments(d, &all);

	for (size_t i = 0; i < n; i++)
		if (all[i]->shmid == id)
			return all[i];
	return NULL;
}

static int dump(struct dump *d)
{
	struct sysv_segment *const *all;
	size_t left = sysv_segments(d, &all);
	struct shmid_ds s;
	struct shm_info info;
	int last = (int)sys(SYS_shmctl, 0, INFO, &info), r = 0;

	if (last == -ENOSYS)
		return 0;
	for (int i = 0; i <= last && !r; i++) {
		int id = control(i, STAT_ANY, &s);
		const struct sysv_segment *seen = id < 0 ? NULL : seen_as(d, id);

		left -= seen != NULL;
		if (seen || (id >= 0 && is_ours(d, &s)))
			r = dump_one(d, id, &s, seen);
	}
	if (!r && left)
		r = refuse(&d->blockers, 0, "an attached segment of System V shared memory",
			   "it belongs to another ipc namespace than the tree", NULL);
	return r;
}

/* --- restore -----------------------------------------------------------------------------------
 */
static int check(struct restore *r, const SysvShm *m)
{
	if (!m->size || m->size >> 47 ||
	    (m->has_page_shift && (m->page_shift < 12 || m->page_shift > 30)))
		return fail(-EPROTO, "segment %" PRId32 " has wrong attributes", m->perm->id);
	return sysv_check(m->perm)
		       ?: m->has_content ? memory_check_content(r, m->content, m->size) : 0;
}

/* The key of a removed one is only a part of a name by now. */
static SysvPerm as_shown(const SysvShm *m)
{
	SysvPerm p = *m->perm;

	p.key = m->removed ? 0 : p.key;
	return p;
}

static int plan(struct restore *r, struct world_object *o)
{
	const SysvShm *m = o->msg;
	SysvPerm shown = as_shown(m);
	struct shmid_ds s, other;
	struct sysv_found f = { .perm = &s.shm_perm };
	const char *title = sysv_title(r, "shm", m->perm);
	int e = check(r, m);

	if (e)
		return e;
	f.r_stat = control(m->perm->id, IPC_STAT, &s);
	if (m->has_page_shift && f.r_stat)
		memory_need_huge(r, m->page_shift, m->size);
	f.ctime = f.r_stat ? 0 : s.shm_ctime;
	f.slot = control(sysv_slot(m->perm->id), STAT_ANY, &other);
	f.by_key = shown.key ? (int)sys(SYS_shmget, shown.key, 0, 0) : -ENOENT;
	e = sysv_plan(r, "shm", &shown, &f);
	if (e || f.r_stat || shown.outside)
		return e;
	if (s.shm_segsz != m->size)
		return refuse(&r->blockers, 0, title, "it has another size by now",
			      "remove it (ipcrm -m)");
	return s.shm_nattch ? refuse(&r->blockers, 0, title, "somebody has it attached",
				     "end who uses it, or restore in another ipc namespace")
			    : 0;
}

static int get(const SysvShm *m, int32_t key)
{
	int flags = IPC_CREAT | IPC_EXCL | (int)m->perm->mode;
	struct sysv_self self = { .changed = false };
	int id, e;

	if (m->has_page_shift) /* huge pages are a privilege of the user that makes it */
		flags |= SHM_HUGETLB | (int)(m->page_shift << HUGE_SHIFT_AT);
	e = sysv_next_id("shm", m->perm->id);
	if (!e && !m->has_page_shift)
		e = sysv_become(m->perm->cuid, m->perm->cgid, &self);
	if (e)
		return e;
	id = (int)sys(SYS_shmget, key, m->size, flags);
	e = sysv_return(&self);
	if (e && id >= 0)
		(void)control(id, IPC_RMID, NULL); /* just made */
	return e ? e : id;
}

static int make(const SysvShm *m)
{
	struct shmid_ds s;
	int id = get(m, m->perm->key), e;

	if (id == -EEXIST && m->removed) /* its key is only a part of a name by now */
		id = get(m, IPC_PRIVATE);
	if (id < 0)
		return fail(id, "make segment %" PRId32 " of %" PRIu64 " bytes", m->perm->id,
			    m->size);
	e = id == m->perm->id ? control(id, IPC_STAT, &s) : -EBUSY;
	s.shm_perm.uid = m->perm->uid;
	s.shm_perm.gid = m->perm->gid;
	if (!e &&
	    (m->perm->uid != m->perm->cuid || m->perm->gid != m->perm->cgid || m->has_page_shift))
		e = control(id, IPC_SET, &s);
	if (!e && m->locked)
		e = control(id, SHM_LOCK, NULL);
	if (e)
		(void)control(id, IPC_RMID, NULL); /* just made */
	return e ? fail(e, "make segment %" PRId32 " with its id and owner", m->perm->id) : 0;
}

/* What an earlier user left where the checkpoint has holes goes. */
static int load(struct restore *r, struct world_object *o)
{
	const SysvShm *m = o->msg;
	uint64_t page = m->has_page_shift ? 1ull << m->page_shift : PAGE_BYTES;
	uint64_t len = (m->size + page - 1) & -page;
	long at = sys(SYS_shmat, m->perm->id, 0, 0), e;

	if (at < 0)
		return fail(at, "attach segment %" PRId32, m->perm->id);
	o->attached = (char *)at;
	e = o->made ? 0 : sys(SYS_madvise, at, len, MADV_REMOVE);
	if (e)
		return fail(e, "clear segment %" PRId32, m->perm->id);
	return m->has_content ? memory_load_content(r, m->content, o->attached, len) : 0;
}

static int detach(struct world_object *o)
{
	long e = o->attached ? sys(SYS_shmdt, o->attached) : 0;

	o->attached = NULL;
	return e ? fail(e, "detach segment %" PRId32, ((const SysvShm *)o->msg)->perm->id) : 0;
}

static int create(struct restore *r, struct world_object *o)
{
	const SysvShm *m = o->msg;
	struct shmid_ds s;
	int e = 0;

	if (m->perm->outside)
		return 0;
	if (control(m->perm->id, IPC_STAT, &s)) {
		e = world_announce(r, o, "shm", m->perm->id) ?: make(m);
		o->made = !e;
	}
	e = e ?: load(r, o);
	if (!e && m->removed)
		e = control(m->perm->id, IPC_RMID, NULL);
	return e ?: m->removed ? 0 : detach(o);
}

static int settle(struct restore *r, struct world_object *o)
{
	(void)r;
	return detach(o);
}

static int undo(struct restore *r, struct world_object *o)
{
	const SysvShm *m = o->msg;
	int e = control(m->perm->id, IPC_RMID, NULL);

	(void)r;
	if (e && e != -EIDRM && e != -EINVAL)
		return fail(e, "remove segment %" PRId32, m->perm->id);
	return detach(o);
}

const struct world_kind kind_sysv_shm = {
	.name = "sysv_shm", .descriptor = &sysv_shm__descriptor, .dump = dump, .plan = plan,
	.create = create, .settle = settle, .undo = undo,
};
