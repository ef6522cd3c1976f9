/*
 * Copy on write, restored. After a fork, parent and child have the same physical pages until one of
 * them writes; the only way to get there again is to have the page in the parent at the moment
 * of the fork. The dump says which pages were the same (runs that point to the same place in the
 * store, at the same address). Here is decided who loads what before forking:
 *
 * - from the leaves up: every space gathers the shared runs of its subtree; what occurs twice or
 * more meets here for the first time, so this space is the nearest common ancestor.
 * - from the root down: a space has what its maker's memory holds at the fork; it keeps what its
 *   own subtree needs of that, and loads what meets here. At one address there can be
 *   one page only: what is inherited goes first, then what the space itself has.
 *
 * All is done with intervals; a run's `at - start` tells apart different contents of an address.
 * The memory of a process comes from its maker, which is not always its parent.
 */
#include <stdlib.h>

#include "core/build/birth.h"
#include "core/memory/memory-plan.h"
#include "pagemap.pb-c.h"

static uint64_t delta(const struct run *r)
{
	return r->at - r->start;
}

static int by_content(const void *a, const void *b)
{
	const struct run *x = &((const struct shared_run *)a)->run,
			 *y = &((const struct shared_run *)b)->run;

	if (delta(x) != delta(y))
		return delta(x) < delta(y) ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_address(const void *a, const void *b)
{
	const struct run *x = &((const struct shared_run *)a)->run,
			 *y = &((const struct shared_run *)b)->run;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The space whose memory a fork of this task's birth copies. */
static struct space *origin(const struct restore *r, const struct task *t)
{
	const struct birth *b = birth_of(r, t)->maker;

	while (b && !(b->task && b->task->state != TASK_ZOMBIE && r->memory->space[b->task->mm]))
		b = b->maker;
	return b ? r->memory->space[b->task->mm] : NULL;
}

static bool find_order(struct restore *r)
{
	struct mem_plan *m = r->memory;
	bool any = false;

	vec_foreach(b, &r->births->all) {
		struct space *s = (*b)->task ? m->space[(*b)->task->index] : NULL;

		if (!s)
			continue;
		s->from = origin(r, s->task);
		*vec_push(&r->arena, &m->order) = s;
		vec_foreach(run, &s->mm.run)
			any = any || (run->flags & PAGEMAP__FLAG__SHARED);
	}
	return any;
}

/* Its own shared runs, cut at the mappings they lie in. */
static void gather_own(struct restore *r, struct space *s)
{
	size_t v = 0;

	vec_foreach(run, &s->mm.run) {
		uint64_t at = run->start;

		if (!(run->flags & PAGEMAP__FLAG__SHARED))
			continue;
		while (at < run->end) {
			const struct vma *m;
			uint64_t end;

			while (s->mm.vma.v[v].end <= at)
				v++;
			m = &s->mm.vma.v[v];
			end = m->end < run->end ? m->end : run->end;
			*vec_push(&r->arena, &s->gather) =
				(struct shared_run){ { at, end, run->at + (at - run->start),
						       run->flags },
						     m,
						     m->start,
						     m->end,
						     true };
			at = end;
		}
	}
}

static void widen(struct shared_run *to, const struct shared_run *by)
{
	to->low = by->low < to->low ? by->low : to->low;
	to->high = by->high > to->high ? by->high : to->high;
	to->own = to->own || by->own;
}

/* Adds the overlap of `item` with what was seen before it. */
static void add_twice(struct arena *a, struct space *s, const struct shared_run *item,
		      const struct shared_run *seen)
{
	struct shared_run part = *item, *last = s->twice.n ? &s->twice.v[s->twice.n - 1] : NULL;

	part.run.end = item->run.end < seen->run.end ? item->run.end : seen->run.end;
	widen(&part, seen);
	part.v = seen->own ? seen->v : item->v;
	/* Neighbours in the store may be neighbours of another kind in memory. */
	if (last && delta(&last->run) == delta(&part.run) &&
	    (last->run.end > part.run.start ||
	     (last->run.end == part.run.start && last->v == part.v))) {
		widen(last, &part);
		if (part.run.end > last->run.end)
			last->run.end = part.run.end;
	} else {
		*vec_push(a, &s->twice) = part;
	}
}

/* Sorts what was gathered into a union, which is handed to the maker, and what occurs more than
 * once. */
static void meet(struct restore *r, struct space *s)
{
	size_t n = 0;

	if (!s->gather.n)
		return;
	vec_sort(&s->gather, by_content);
	for (size_t i = 1; i < s->gather.n; i++) {
		struct shared_run *seen = &s->gather.v[n], *item = &s->gather.v[i];

		if (delta(&seen->run) != delta(&item->run) || item->run.start >= seen->run.end) {
			s->gather.v[++n] = *item;
			continue;
		}
		add_twice(&r->arena, s, item, seen);
		widen(seen, item);
		if (item->run.end > seen->run.end)
			seen->run.end = item->run.end;
	}
	s->gather.n = n + 1;
	if (!s->from)
		return;
	vec_foreach(g, &s->gather) {
		struct shared_run *up = vec_push(&r->arena, &s->from->gather);

		*up = *g;
		up->own = false;
	}
}

/* The parts of `item` that no run of the ascending list covers are appended to `out`. */
typedef VEC(struct shared_run) shared_list;

static void append_uncovered(struct arena *a, shared_list *out, struct shared_run item,
			     const struct run *v, size_t n)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (v[middle].end <= item.run.start)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && v[low].start < item.run.end && item.run.start < item.run.end; low++) {
		struct shared_run part = item;

		part.run.end = v[low].start;
		if (part.run.start < part.run.end)
			*vec_push(a, out) = part;
		item.run.at += v[low].end - item.run.start;
		item.run.start = v[low].end;
	}
	if (item.run.start < item.run.end)
		*vec_push(a, out) = item;
}

/* Inherited pages that somebody of this subtree has. Both lists are turned to ascending addresses.
 */
static void inherited_in_use(struct arena *a, struct space *s, shared_list *ret)
{
	size_t g = 0;

	vec_sort(&s->gather, by_address);
	for (size_t i = 0; s->from && i < s->from->state.n; i++) {
		const struct run *in = &s->from->state.v[i];

		while (g < s->gather.n && s->gather.v[g].run.end <= in->start)
			g++;
		for (size_t k = g; k < s->gather.n && s->gather.v[k].run.start < in->end; k++) {
			struct shared_run part = s->gather.v[k];
			uint64_t start = part.run.start > in->start ? part.run.start : in->start;

			if (delta(&part.run) != delta(in) || part.run.end <= start)
				continue;
			part.run.end = part.run.end < in->end ? part.run.end : in->end;
			part.run.at = in->at + (start - in->start);
			part.run.start = start;
			*vec_push(a, ret) = part;
		}
	}
}

/* As plain runs, overlaps cut off (the first one stays). */
static size_t flatten(struct arena *a, const shared_list *list, struct run **ret)
{
	struct run *v = arena_array(a, struct run, list->n + 1);
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct run run = list->v[i].run;

		if (n && run.start < v[n - 1].end) {
			run.at += v[n - 1].end - run.start;
			run.start = v[n - 1].end;
		}
		if (run.start < run.end)
			v[n++] = run;
	}
	*ret = v;
	return n;
}

/* What the space loads: those it has itself first, then the others where there is room. */
static void choose(struct arena *a, struct space *s, shared_list *ret)
{
	shared_list kept = { 0 }, others = { 0 };
	struct run *cover;
	size_t n, first;

	inherited_in_use(a, s, &kept);
	n = flatten(a, &kept, &cover);
	for (size_t i = 0; i < s->twice.n; i++)
		if (s->twice.v[i].own)
			append_uncovered(a, ret, s->twice.v[i], cover, n);
	vec_sort(ret, by_address);
	first = ret->n;
	for (size_t i = 0; i < s->twice.n; i++)
		if (!s->twice.v[i].own)
			append_uncovered(a, &others, s->twice.v[i], cover, n);
	n = flatten(a, ret, &cover);
	for (size_t i = 0; i < others.n; i++)
		append_uncovered(a, ret, others.v[i], cover, n);
	if (ret->n > first)
		vec_sort(ret, by_address);
}

int memory_plan_family(struct restore *r)
{
	struct mem_plan *m = r->memory;
	int e = 0;

	if (!find_order(r) || m->order.n < 2) {
		m->order.n = 0;
		return 0;
	}
	vec_foreach(s, &m->order)
		gather_own(r, *s);
	for (size_t i = m->order.n; i--;)
		meet(r, m->order.v[i]);
	vec_foreach(s, &m->order) {
		shared_list load = { 0 };

		if ((*s)->twice.n)
			choose(&r->arena, *s, &load);
		e = e ?: memory_plan_segments(r, *s, load.v, load.n);
	}
	return e ?: memory_reserve_segments(r);
}
