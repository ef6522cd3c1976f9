/*
 * The first operations of a task's program: they replace the tool's address space by the task's
 * own.
 *
 * The memory limits (PR_SET_MM_MAP) are set as soon as everything of the tool is unmapped: the
 * kernel compares them with no mapping, and the executable can be replaced only while no mapping of
 * the old one exists, which would never be the case for a task that runs the tool's own binary.
 * Mappings with content are made writable, filled (core/memory/memory-fill.c), and protected at
 * last.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "core/build/birth.h"
#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"
#include "kernel/sys.h"
#include "pagemap.pb-c.h"

#define ADDRESS_END 0x7ffffffff000ULL /* nothing of the tool lies above */
enum { MAP_DROPPABLE_6_11 = 8, RSEQ_SIGNATURE = 0x53053053 };

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* libc registered its area in thread-local storage that is about to go. */
static void stage_rseq(struct prog *p, const struct restore *r)
{
	struct prog_op *op;
	char *self;

	if (!&__rseq_size || !__rseq_size)
		return;
	self = __builtin_thread_pointer();
	prog_where(p, "unregister rseq");
	/* Its registered length is that of the structure, 32 at least, whatever part is in use. */
	op = prog_call(p, SYS_rseq, (int64_t)(uintptr_t)(self + __rseq_offset), 32, 1,
		       RSEQ_SIGNATURE);
	if (r->births->n_early) /* what such a thread forks has no registration */
		prog_accept(op, EINVAL);
}

static bool has_special(const struct space *s, const struct special *part, uint64_t *ret_at)
{
	vec_foreach(v, &s->mm.vma)
		if (v->kind == VMA__KIND__SPECIAL && !strcmp(v->name, part->name))
			return *ret_at = v->start, true;
	return false;
}

static void move(struct prog *p, uint64_t from, uint64_t len, uint64_t to)
{
	prog_call(p, SYS_mremap, (int64_t)from, (int64_t)len, (int64_t)len,
		  MREMAP_MAYMOVE | MREMAP_FIXED, (int64_t)to);
}

static void stage_special(struct prog *p, const struct mem_plan *m, const struct space *s,
			  bool park)
{
	uint64_t at;

	vec_foreach(part, &m->vdso.part) {
		if (!has_special(s, part, &at))
			continue;
		prog_where(p, "%s %s", park ? "park" : "place", part->name);
		if (park)
			move(p, part->start, part->end - part->start, m->park_base + part->park);
		else
			move(p, m->park_base + part->park, part->end - part->start, at);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Everything but the area, the parking place and what was mapped for this task already. */
static void stage_unmap(struct prog *p, const struct restore *r, const struct space *s)
{
	const struct mem_plan *m = r->memory;
	struct range *keep = arena_array(p->arena, struct range, s->piece.n + 3);
	uint64_t at = 0;
	size_t n = 0;

	prog_where(p, "unmap the tool");
	vec_foreach(piece, &s->piece)
		if (piece->at == piece->start)
			keep[n++] = (struct range){ piece->start, piece->end };
	keep[n++] = (struct range){ r->area_base, m->park_base + m->vdso.len };
	if (m->displaced.end)
		keep[n++] = m->displaced;
	qsort(keep, n, sizeof(keep[0]), by_start);
	keep[n++] = (struct range){ ADDRESS_END, ADDRESS_END };
	for (size_t i = 0; i < n; i++) {
		if (at < keep[i].start)
			prog_call(p, SYS_munmap, (int64_t)at, (int64_t)(keep[i].start - at));
		at = keep[i].end;
	}
}

static void stage_displaced(struct prog *p, const struct mem_plan *m, const struct space *s)
{
	vec_foreach(piece, &s->piece) {
		if (piece->at == piece->start)
			continue;
		prog_where(p, "move inherited memory to %" PRIx64, piece->start);
		move(p, piece->at, piece->end - piece->start, piece->start);
	}
	prog_where(p, "unmap the place of inherited memory");
	if (m->displaced.end)
		prog_call(p, SYS_munmap, (int64_t)m->displaced.start,
			  (int64_t)(m->displaced.end - m->displaced.start));
}

/* Where the heap ends that starts at start_brk: the program break, as far as mappings tell. */
static uint64_t heap_end(const struct space *s)
{
	uint64_t at = s->msg->start_brk;

	vec_foreach(v, &s->mm.vma)
		if (v->start <= at && v->end > at && v->kind == VMA__KIND__ANON && !v->shared)
			at = v->end;
	return at;
}

static void stage_limits(struct prog *p, const struct space *s)
{
	const Mm *m = s->msg;
	struct prctl_mm_map map = {
		.start_code = m->start_code,
		.end_code = m->end_code,
		.start_data = m->start_data,
		.end_data = m->end_data,
		.start_brk = m->start_brk,
		.brk = s->brk ? s->brk : heap_end(s),
		.start_stack = m->start_stack,
		.arg_start = m->arg_start,
		.arg_end = m->arg_end,
		.env_start = m->env_start,
		.env_end = m->env_end,
		.auxv_size = (uint32_t)m->auxv.len,
		.exe_fd = (uint32_t)exe_fd(s),
	};
	struct prog_arg in, auxv;

	prog_where(p, "limits of the address space and executable '%s'",
		   m->exe ? m->exe->path : "none");
	in = prog_in(p, &map, sizeof(map));
	auxv = prog_in(p, m->auxv.data, m->auxv.len);
	prog_point(p, in, offsetof(struct prctl_mm_map, auxv), auxv, 0);
	prog_call(p, SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, in, sizeof(map), 0);
}

int vma_map_flags(const struct vma *v)
{
	int flags = (v->object == NO_OBJECT ? MAP_ANONYMOUS : 0);

	if (v->page_shift)
		flags |= MAP_HUGETLB | v->page_shift << 26;

	if (v->flags & VMA__FLAG__DROPPABLE)
		flags |= MAP_DROPPABLE_6_11;
	else if (v->flags & VMA__FLAG__SYNC)
		flags |= MAP_SHARED_VALIDATE | MAP_SYNC;
	else
		flags |= v->shared ? MAP_SHARED : MAP_PRIVATE;
	return flags | (v->flags & VMA__FLAG__GROWSDOWN ? MAP_GROWSDOWN : 0) |
	       (v->flags & VMA__FLAG__NORESERVE ? MAP_NORESERVE : 0);
}

/* Ascending runs: whether any lies in the mapping; *i follows the mappings. */
static bool has_fill(const struct space *s, const struct vma *v, size_t *i)
{
	while (*i < s->fill.n && s->fill.v[*i].end <= v->start)
		(*i)++;
	return *i < s->fill.n && s->fill.v[*i].start < v->end;
}

struct prog_part {
	uint64_t start, end;
	int prot;
};

static void map_part(struct prog *p, const struct mem_plan *m, const struct space *s,
		     const struct vma *v, struct prog_part part)
{
	if (part.start >= part.end)
		return;
	prog_where(p, "map %" PRIx64 "-%" PRIx64, part.start, part.end);
	prog_is_arg0(prog_call(p, SYS_mmap, (int64_t)part.start, (int64_t)(part.end - part.start),
			       part.prot, vma_map_flags(v) | MAP_FIXED_NOREPLACE,
			       source_fd(m, s, v), (int64_t)(v->offset + (part.start - v->start))));
	if (v->flags & (VMA__FLAG__HUGEPAGE | VMA__FLAG__NOHUGEPAGE))
		prog_call(p, SYS_madvise, (int64_t)part.start, (int64_t)(part.end - part.start),
			  v->flags & VMA__FLAG__HUGEPAGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* Everything that was not inherited. */
static void stage_map(struct prog *p, const struct mem_plan *m, const struct space *s)
{
	size_t fill = 0, piece = 0;

	vec_foreach(v, &s->mm.vma) {
		int prot = v->prot | (has_fill(s, v, &fill) ? PROT_WRITE : 0);
		uint64_t at = v->start;

		if (v->kind == VMA__KIND__SPECIAL || vma_is_made(m, v))
			continue;
		for (; piece < s->piece.n && s->piece.v[piece].start < v->end; piece++) {
			map_part(p, m, s, v,
				 (struct prog_part){ at, s->piece.v[piece].start, prot });
			at = s->piece.v[piece].end;
		}
		map_part(p, m, s, v, (struct prog_part){ at, v->end, prot });
	}
}

/* After all else, so that nothing of the kernel's choice lies in its way. */
static void stage_made(struct prog *p, const struct mem_plan *m, const struct space *s)
{
	vec_foreach(v, &s->mm.vma) {
		const struct mem_object *o = v->object == NO_OBJECT ?
						     NULL : &m->object[v->kind].v[v->object];

		if (o && o->kind->make)
			o->kind->make(p, o, v, source_fd(m, s, v));
	}
}

static void stage_drop(struct prog *p, const struct space *s)
{
	vec_foreach(d, &s->drop) {
		prog_where(p, "drop inherited pages %" PRIx64 "-%" PRIx64, d->start, d->end);
		prog_call(p, SYS_madvise, (int64_t)d->start, (int64_t)(d->end - d->start),
			  MADV_DONTNEED);
	}
}

/* An heir's mappings are writable where its maker reads something. */
static void stage_open(struct prog *p, const struct space *s)
{
	size_t fill = 0, there = 0;

	vec_foreach(v, &s->mm.vma) {
		bool wanted = has_fill(s, v, &fill), done = has_fill(s->from, v, &there);

		if (!wanted || done || v->prot & PROT_WRITE)
			continue;
		prog_where(p, "make %" PRIx64 "-%" PRIx64 " writable", v->start, v->end);
		prog_call(p, SYS_mprotect, (int64_t)v->start, (int64_t)(v->end - v->start),
			  v->prot | PROT_WRITE);
	}
}

/* What was made writable for its content, and what was inherited, which is readable and writable.
 */
static void stage_protect(struct prog *p, const struct space *s)
{
	size_t fill = 0, there = 0, piece = 0;

	vec_foreach(v, &s->mm.vma) {
		bool filled = has_fill(s, v, &fill), inherited;

		filled |= s->heir && has_fill(s->from, v, &there);
		filled &= !(v->prot & PROT_WRITE);

		while (piece < s->piece.n && s->piece.v[piece].end <= v->start)
			piece++;
		inherited = piece < s->piece.n && s->piece.v[piece].start < v->end &&
			    v->prot != (PROT_READ | PROT_WRITE);
		if (!filled && !inherited)
			continue;
		prog_where(p, "protect %" PRIx64 "-%" PRIx64, v->start, v->end);
		prog_call(p, SYS_mprotect, (int64_t)v->start, (int64_t)(v->end - v->start),
			  v->prot);
	}
}

int memory_stage(struct prog *p, struct restore *r, const struct task *t)
{
	const struct space *s = r->memory->space[t->index];

	if (!s)
		return 0;
	stage_rseq(p, r);
	stage_special(p, r->memory, s, true);
	stage_unmap(p, r, s);
	stage_limits(p, s);
	stage_displaced(p, r->memory, s);
	stage_special(p, r->memory, s, false);
	prog_where(p, "unmap the parking place");
	if (r->memory->vdso.len)
		prog_call(p, SYS_munmap, (int64_t)r->memory->park_base,
			  (int64_t)r->memory->vdso.len);
	memory_stage_attached(p, r->memory, s);
	stage_map(p, r->memory, s);
	stage_made(p, r->memory, s);
	return 0;
}

int memory_stage_content(struct prog *p, struct restore *r, const struct task *t)
{
	const struct space *s = r->memory->space[t->index];
	int e;

	if (!s)
		return 0;
	if (s->heir)
		stage_open(p, s);
	stage_drop(p, s);
	e = memory_stage_fill(p, r, s);
	if (e)
		return e;
	stage_protect(p, s);
	memory_stage_advice(p, s);
	prog_where(p, "close the sources of memory");
	if (s->n_fd)
		prog_call(p, SYS_close_range, s->first_fd, s->first_fd + s->n_fd - 1, 0);
	return 0;
}
