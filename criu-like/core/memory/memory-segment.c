/*
 * Segments: the mappings in which shared pages are loaded before the fork, and what is left to each
 * program when it starts with them. A segment spans what all members of the family have around the
 * pages, so that a member's mapping is in one piece and no boundary is added. Where the tool itself
 * lies at the address, the segment is mapped elsewhere and moved by the program.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/err.h"
#include "core/memory/memory-plan.h"
#include "kernel/sys.h"

enum {
	FIT_FLAGS = VMA__FLAG__GROWSDOWN | VMA__FLAG__NORESERVE | VMA__FLAG__HUGEPAGE |
		    VMA__FLAG__NOHUGEPAGE
};

#define HUGE_ALIGN (2ull << 20) /* huge pages of the pool cannot lie elsewhere */

static bool alike(const struct vma *a, const struct vma *b)
{
	return a->kind == b->kind && a->object == b->object && a->page_shift == b->page_shift &&
	       !a->shared && !b->shared && !((a->flags ^ b->flags) & FIT_FLAGS) &&
	       (a->object == NO_OBJECT || a->offset - a->start == b->offset - b->start);
}

bool segment_fits(const struct segment *g, const struct vma *v)
{
	return alike(g->like, v) && vma_has_pages(v);
}

/* --- lists of runs: ascending, not overlapping -------------------------------------------------
 */
static struct run cut(const struct run *r, uint64_t start, uint64_t end)
{
	struct run part = *r;

	if (start > part.start) {
		part.at += start - part.start;
		part.start = start;
	}
	part.end = end < part.end ? end : part.end;
	return part;
}

/* `a` without the addresses of `b`. */
static run_list without(struct arena *arena, const struct run *a, size_t n, const struct run *b,
			size_t k)
{
	run_list out = { 0 };
	size_t j = 0;

	for (size_t i = 0; i < n; i++) {
		struct run left = a[i];

		while (j < k && b[j].end <= left.start)
			j++;
		for (size_t q = j; q < k && b[q].start < left.end && left.start < left.end; q++) {
			if (b[q].start > left.start)
				*vec_push(arena, &out) = cut(&left, left.start, b[q].start);
			left = cut(&left, b[q].end < left.end ? b[q].end : left.end, left.end);
		}
		if (left.start < left.end)
			*vec_push(arena, &out) = left;
	}
	return out;
}

/* The parts of `a` that have the same content in `b`. */
static run_list same(struct arena *arena, const struct run *a, size_t n, const struct run *b,
		     size_t k)
{
	run_list out = { 0 };
	size_t j = 0;

	for (size_t i = 0; i < n; i++) {
		while (j < k && b[j].end <= a[i].start)
			j++;
		for (size_t q = j; q < k && b[q].start < a[i].end; q++)
			if (a[i].at - a[i].start == b[q].at - b[q].start)
				*vec_push(arena, &out) =
					cut(&a[i], b[q].start, b[q].end);
	}
	return out;
}

static int run_by_address(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int segment_by_address(const void *a, const void *b)
{
	const struct segment *const *x = a, *const *y = b;

	return (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

/* --- making them --------------------------------------------------------------------------------
 */
static void push_segment(struct restore *r, struct space *s, const struct shared_run *l,
			 uint64_t start)
{
	struct segment *g = arena_new(&r->arena, struct segment);

	*g = (struct segment){ .start = start, .end = l->high, .at = start, .base = g, .like = l->v,
			       .last = l->run.end };
	*vec_push(&r->arena, &s->made) = g;
}

/* Loads come in ascending order; a segment grows as long as they are of the same kind and touch. */
static void cover(struct restore *r, struct space *s, const struct shared_run *l)
{
	struct segment *g = s->made.n ? s->made.v[s->made.n - 1] : NULL;
	uint64_t start = l->low;

	if (g && l->low <= g->end && alike(g->like, l->v)) {
		g->end = l->high > g->end ? l->high : g->end;
		g->last = l->run.end;
		return;
	}
	if (g && g->end > start) { /* two kinds meet: the border is between their pages */
		start = start > g->last ? start : l->run.start;
		g->end = start;
	}
	push_segment(r, s, l, start);
}

/* What the space's memory has after it made its segments. */
static void merge_segments(struct arena *a, struct space *s)
{
	run_list old = { 0 }, new = { 0 }, left;

	for (size_t i = 0; s->from && i < s->from->segment.n; i++)
		*vec_push(a, &old) = (struct run){ s->from->segment.v[i]->start,
						   s->from->segment.v[i]->end, i, 0 };
	for (size_t i = 0; i < s->made.n; i++)
		*vec_push(a, &new) = (struct run){ s->made.v[i]->start, s->made.v[i]->end, 0, 0 };
	left = without(a, old.v, old.n, new.v, new.n);
	for (size_t i = 0, k = 0; i < left.n; i++) {
		struct segment *g = arena_new(a, struct segment);

		while (old.v[k].end <= left.v[i].start)
			k++;
		*g = *s->from->segment.v[k];
		g->start = left.v[i].start;
		g->end = left.v[i].end;
		*vec_push(a, &s->segment) = g;
	}
	for (size_t i = 0; i < s->made.n; i++)
		*vec_push(a, &s->segment) = s->made.v[i];
	vec_sort(&s->segment, segment_by_address);
	left = s->from ? without(a, s->from->state.v, s->from->state.n, new.v, new.n) : left;
	if (!s->from)
		left.n = 0;
	left = without(a, left.v, left.n, s->load.v, s->load.n);
	for (size_t i = 0; i < s->load.n; i++)
		*vec_push(a, &left) = s->load.v[i];
	vec_sort(&left, run_by_address);
	s->state.v = left.v;
	s->state.n = left.n;
}

/* The part of a load behind `from`. */
static struct shared_run rest(const struct shared_run *l, uint64_t from)
{
	struct shared_run part = *l;

	part.run = cut(&l->run, from, l->run.end);
	return part;
}

/* Inherited segments stay, with what is in them; new ones fill the gaps between them. */
static void cover_gaps(struct restore *r, struct space *s, struct shared_run l)
{
	for (size_t i = 0; s->from && i < s->from->segment.n; i++) {
		const struct segment *g = s->from->segment.v[i];
		struct shared_run before = l;

		if (!segment_fits(g, l.v) || g->end <= l.low || g->start >= l.high)
			continue;
		if (g->start > l.run.start) {
			before.high = g->start;
			before.run.end = g->start < l.run.end ? g->start : l.run.end;
			cover(r, s, &before);
		}
		l.low = g->end;
		if (g->end >= l.run.end || g->start >= l.run.end)
			return;
		l = rest(&l, g->end > l.run.start ? g->end : l.run.start);
	}
	cover(r, s, &l);
}

int memory_plan_segments(struct restore *r, struct space *s, const struct shared_run *load,
			 size_t n)
{
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		struct shared_run l = rest(&load[i], last);

		if (l.run.start >= l.run.end)
			continue;
		last = l.run.end;
		cover_gaps(r, s, l);
		*vec_push(&r->arena, &s->load) = l.run;
	}
	if (s->load.n) {
		merge_segments(&r->arena, s);
	} else if (s->from) {
		s->segment = s->from->segment;
		s->state = s->from->state;
	}
	return 0;
}

/* --- where they lie ------------------------------------------------------------------------------
 */
static bool reserve(uint64_t start, uint64_t len)
{
	return sys(SYS_mmap, start, len, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		   0) == (long)start;
}

/*
 * Keeps the addresses of all segments free of the tool's own later mappings; those where it is
 * already get another place. Different spaces may have segments at the same addresses.
 */
int memory_reserve_segments(struct restore *r)
{
	VEC(struct segment *) all = { 0 };
	uint64_t bytes = 0, base;
	int e;

	vec_foreach(s, &r->memory->order)
		vec_foreach(g, &(*s)->made)
			*vec_push(&r->arena, &all) = *g;
	vec_sort(&all, segment_by_address);
	for (size_t i = 0, k; i < all.n; i = k) {
		uint64_t start = all.v[i]->start, end = all.v[i]->end;

		for (k = i + 1; k < all.n && all.v[k]->start < end; k++)
			end = all.v[k]->end > end ? all.v[k]->end : end;
		if (reserve(start, end - start))
			continue;
		for (size_t q = i; q < k; q++) {
			bytes = (bytes + HUGE_ALIGN - 1) & -HUGE_ALIGN;
			all.v[q]->at = bytes;
			all.v[q]->displaced = true;
			bytes += all.v[q]->end - all.v[q]->start;
		}
	}
	if (!bytes)
		return 0;
	e = memory_find_room(r, bytes + HUGE_ALIGN, &base);
	if (e)
		return e;
	base = (base + HUGE_ALIGN - 1) & -HUGE_ALIGN;
	if (!reserve(base, bytes))
		return fail(-ENOMEM, "keep %" PRIu64 " bytes at %" PRIx64 " for shared pages",
			    bytes, base);
	r->memory->displaced = (struct range){ base, base + bytes };
	vec_foreach(g, &all)
		(*g)->at += (*g)->displaced ? base : 0;
	return 0;
}

/* --- what is left --------------------------------------------------------------------------------
 */
static void find_pieces(struct arena *a, struct space *s)
{
	size_t g = 0;

	vec_foreach(v, &s->mm.vma) {
		while (g < s->segment.n && s->segment.v[g]->end <= v->start)
			g++;
		for (size_t i = g; i < s->segment.n && s->segment.v[i]->start < v->end; i++) {
			const struct segment *seg = s->segment.v[i];
			uint64_t start = seg->start > v->start ? seg->start : v->start;
			uint64_t end = seg->end < v->end ? seg->end : v->end;

			if (segment_fits(seg, v))
				*vec_push(a, &s->piece) =
					(struct piece){ start, end, segment_at(seg, start) };
		}
	}
}

void memory_plan_rest(struct restore *r, struct space *s)
{
	struct arena *a = &r->arena;
	run_list pieces = { 0 }, have, out;

	find_pieces(a, s);
	vec_foreach(p, &s->piece)
		*vec_push(a, &pieces) = (struct run){ p->start, p->end, 0, 0 };
	/* What is there: the state, but only where the mapping comes from a segment. */
	out = without(a, s->state.v, s->state.n, pieces.v, pieces.n);
	have = without(a, s->state.v, s->state.n, out.v, out.n);
	out = without(a, have.v, have.n, s->mm.run.v, s->mm.run.n);
	vec_foreach(d, &out)
		*vec_push(a, &s->drop) = (struct range){ d->start, d->end };
	out = same(a, s->mm.run.v, s->mm.run.n, have.v, have.n);
	out = without(a, s->mm.run.v, s->mm.run.n, out.v, out.n);
	s->fill.v = out.v;
	s->fill.n = s->fill.cap = out.n;
}
