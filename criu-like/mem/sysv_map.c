/*
 * Attached segments of System V shared memory. The number of the inode in maps is the segment's id;
 * the segment itself is put back by ns/sysv_shm.c before the first fork, with the same id. Only
 * shmat(2) makes a mapping that counts as attached and that shmdt(2) knows: the task's program
 * calls it for the whole segment and takes away or protects the parts that were changed
 * (core/memory/memory-attach.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/memory/memory-kind.h"
#include "core/memory/shared-object.h"
#include "core/memory/sysv-segment.h"
#include "kernel/descriptor.h"
#include "sysv_map.pb-c.h"

extern const struct mem_kind kind_sysv_map;

static bool match(struct dump *d, const struct vma_probe *p)
{
	const struct vma_text *v = &p->text->vma;

	if (!v->shared || v->major || !span_starts(v->path, "/SYSV"))
		return false;
	return p->text->flags & vm_flag(HT) || shared_device(d, makedev(v->major, v->minor), 0);
}

/* "/SYSV00001234 (deleted)" */
static int32_t key_of(struct span path)
{
	uint32_t key = 0;
	struct span hex = { path.p + 5, path.len < 13 ? 0 : 8 };

	return span_u32(hex, 16, &key) ? 0 : (int32_t)key;
}

static int describe(const struct vma_probe *p, const char *path, SysvMap *m)
{
	_close_ int fd = vma_open_file(p, 0);
	struct stat st;
	int r = fd < 0 ? fd : sys_stat(fd, "", 0, &st, NULL);

	if (r)
		return r;
	m->bytes = ((uint64_t)st.st_size + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES;
	r = sys_stat(p->task->proc_fd, path, AT_SYMLINK_NOFOLLOW, &st, NULL);
	m->readonly = !(st.st_mode & S_IWUSR);
	return r;
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	const char *path = arena_printf(&d->arena, "map_files/%" PRIx64 "-%" PRIx64, v->start,
					v->end);
	struct sysv_segment s = { (int32_t)p->text->vma.ino, key_of(p->text->vma.path), 0,
				  p->task->proc_fd, path };
	SysvMap m = SYSV_MAP__INIT;
	bool is_new;
	int r = describe(p, path, &m);

	if (r)
		return fail(r, "look at %s of task %d", vma_title(&d->arena, p->text),
			    p->task->pid);
	m.shmid = s.shmid;
	sysv_segment_seen(d, &s);
	v->object = memory_object_id(d, &kind_sysv_map, (uint64_t)m.shmid, m.readonly, &is_new);
	return is_new ? memory_append_object(d, &kind_sysv_map, v->object, &m.base) : 0;
}

static int plan(struct restore *r, const struct task *t, const struct mem_object *o)
{
	const SysvMap *m = o->msg;

	(void)r;
	(void)t;
	return m->shmid >= 0 && m->bytes && !(m->bytes % PAGE_BYTES) && !(m->bytes >> 47)
		       ? 0
		       : fail(-EPROTO, "attached segment %" PRId32 " has wrong attributes",
			      m->shmid);
}

static uint64_t bytes(const struct mem_object *o, int *ret_prot)
{
	const SysvMap *m = o->msg;

	*ret_prot = PROT_READ | (m->readonly ? 0 : PROT_WRITE);
	return m->bytes;
}

static void attach(struct prog *p, const struct mem_object *o, uint64_t base)
{
	const SysvMap *m = o->msg;

	prog_where(p, "attach segment %" PRId32 " at %" PRIx64, m->shmid, base);
	prog_call(p, SYS_shmat, m->shmid, (int64_t)base, m->readonly ? SHM_RDONLY : 0);
}

const struct mem_kind kind_sysv_map = {
	.name = "sysv_map", .number = VMA__KIND__SYSV, .descriptor = &sysv_map__descriptor,
	.match = match, .dump = dump, .plan = plan, .attach = attach, .bytes = bytes,
};
