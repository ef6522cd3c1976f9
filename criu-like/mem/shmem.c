/*
 * Shared anonymous memory (MAP_SHARED | MAP_ANONYMOUS): an unlinked file of the kernel's own tmpfs,
 * which maps calls "/dev/zero (deleted)". It is known by its inode number; tasks that inherited or
 * share it have the same. The coordinator makes each object in the same way, fills it, and keeps a
 * descriptor from map_files; the tasks map that, so that it is called the same again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/memory/memory-kind.h"
#include "kernel/sys.h"
#include "shmem.pb-c.h"

static bool match(struct dump *d, const struct vma_probe *p)
{
	const struct vma_text *v = &p->text->vma;

	(void)d;
	return v->ino && !v->major &&
	       (span_eq(v->path, "/dev/zero (deleted)") || span_starts(v->path, "[anon_shmem:"));
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	const struct vma_text *text = &p->text->vma;
	Shmem m = SHMEM__INIT;
	struct stat st;
	bool is_new;
	long r;

	v->object = memory_object_id(d, &kind_shmem, text->ino, text->minor, &is_new);
	if (!is_new)
		return 0;
	_close_ int fd = vma_open_file(p, 0);
	if (fd < 0)
		return fail(fd, "open %s of task %d", vma_title(&d->arena, p->text), p->task->pid);
	r = sys(SYS_fstat, fd, &st);
	if (r)
		return fail(r, "size of %s", vma_title(&d->arena, p->text));
	m.size = (uint64_t)st.st_size;
	memory_queue_content(d, p, v->object);
	return memory_append_object(d, &kind_shmem, v->object, &m.base);
}

static int plan(struct restore *r, const struct task *t, const struct mem_object *o)
{
	const Shmem *m = o->msg;

	(void)r;
	(void)t;
	if (!m->size || m->size % PAGE_BYTES || m->size >> 47)
		return fail(-EPROTO, "shared memory %u has the size %" PRIu64, o->id, m->size);
	return 0;
}

static int create(struct restore *r, const struct mem_object *o)
{
	const Shmem *m = o->msg;
	_unmap_ struct mapping map = { NULL, m->size };
	char path[80];
	long at = sys(SYS_mmap, 0, m->size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int e;

	if (at < 0)
		return fail(at, "make shared memory of %" PRIu64 " bytes", m->size);
	map.p = (void *)at;
	e = memory_load_content(r, o->id, map.p, m->size);
	if (e)
		return e;
	(void)snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", at, at + (long)m->size);
	e = (int)sys(SYS_openat, -1, path, 02 | 02000000);
	return e < 0 ? fail(e, "open '%s'", path) : e;
}

const struct mem_kind kind_shmem = {
	.name = "shmem", .number = VMA__KIND__SHMEM, .descriptor = &shmem__descriptor,
	.match = match, .dump = dump, .plan = plan, .create = create,
};
