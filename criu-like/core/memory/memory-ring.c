/*
 * Mappings of rings (io_uring) in the blob. Pages of zeros keep their places until the ring exists.
 * The process that makes the ring maps it at once; all others take its descriptor from there and
 * map it when every task is complete.
 *
 * The kernel lets nobody choose the address of such a mapping (6.5+), nor move it. So for the
 * moment all other address space is occupied, and the one place that is free is the right one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/file/file.h"
#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"
#include "kernel/sys.h"
#include "ring_mapping.pb-c.h"

#define LOWEST  0x10000ULL
#define HIGHEST 0x7ffffffff000ULL

static uint32_t ring_of(const struct restore *r, const struct vma *v)
{
	return ((const RingMapping *)r->memory->object[v->kind].v[v->object].msg)->ofd;
}

/* --- where they go
 * --------------------------------------------------------------------------------
 */

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* All address space that nothing occupies. */
static void each_gap(struct prog *p, struct restore *r, const struct space *s,
		     void (*fn)(struct prog *, struct range))
{
	struct range *used = arena_array(p->arena, struct range, s->mm.vma.n + 2);
	uint64_t at = LOWEST;
	size_t n = 0;

	vec_foreach(v, &s->mm.vma)
		used[n++] = (struct range){ v->start, v->end };
	used[n++] = (struct range){ r->area_base, r->area_base + r->memory->hole_len };
	qsort(used, n, sizeof(*used), by_start);
	used[n++] = (struct range){ HIGHEST, HIGHEST };
	for (size_t i = 0; i < n; i++) {
		if (at < used[i].start)
			fn(p, (struct range){ at, used[i].start });
		at = used[i].end > at ? used[i].end : at;
	}
}

static void occupy(struct prog *p, struct range gap)
{
	prog_accept(prog_call(p, SYS_mmap, (int64_t)gap.start, (int64_t)(gap.end - gap.start),
			      PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			      0),
		    EPERM); /* the lowest addresses */
}

static void vacate(struct prog *p, struct range gap)
{
	prog_call(p, SYS_munmap, (int64_t)gap.start, (int64_t)(gap.end - gap.start));
}

static void map_one(struct prog *p, const struct vma *v, struct prog_arg fd)
{
	int64_t len = (int64_t)(v->end - v->start);

	prog_where(p, "map a ring at %" PRIx64, v->start);
	prog_call(p, SYS_munmap, (int64_t)v->start, len);
	prog_call(p, SYS_mmap, 0, len, v->prot, MAP_SHARED | MAP_POPULATE, fd, (int64_t)v->offset);
	prog_check(p, prog_keep(p), (int64_t)v->start, EEXIST);
	if (v->flags & VMA__FLAG__DONTFORK)
		prog_call(p, SYS_madvise, (int64_t)v->start, len, MADV_DONTFORK);
	if (v->flags & VMA__FLAG__DONTDUMP)
		prog_call(p, SYS_madvise, (int64_t)v->start, len, MADV_DONTDUMP);
}

/* The descriptor is the maker's: this task may have none. */
static struct prog_arg take(struct prog *p, struct restore *r, const struct fd_obj *o)
{
	struct prog_arg process, fd;

	prog_where(p, "take a ring from process %d", o->in_blob);
	prog_call(p, SYS_pidfd_open, o->in_blob, 0);
	process = prog_keep(p);
	prog_call(p, SYS_pidfd_getfd, process, files_number(r, o), 0);
	fd = prog_keep(p);
	prog_call(p, SYS_close, process);
	return fd;
}

/* Of this process the number, of another a copy. */
static void map_ring(struct prog *p, struct restore *r, const struct space *s, const struct vma *v)
{
	const struct fd_obj *o = files_find(r, ring_of(r, v));
	bool own = o->in_blob == s->task->pid;
	struct prog_arg fd = own ? prog_imm(files_number(r, o)) : take(p, r, o);

	map_one(p, v, fd);
	if (!own)
		prog_call(p, SYS_close, fd);
}

void memory_stage_rings(struct prog *p, struct restore *r, const struct space *s)
{
	bool any = false;

	vec_foreach(v, &s->mm.vma)
		any |= v->kind == VMA__KIND__RING;
	if (!any)
		return;
	prog_where(p, "occupy what is free");
	each_gap(p, r, s, occupy);
	vec_foreach(v, &s->mm.vma)
		if (v->kind == VMA__KIND__RING)
			map_ring(p, r, s, v);
	prog_where(p, "free what was occupied");
	each_gap(p, r, s, vacate);
}

bool memory_has_rings(const struct restore *r)
{
	return r->memory->object[VMA__KIND__RING].n;
}
