/*
 * Objects that one call maps whole, like shmat(2): mappings of one object whose offsets lead to the
 * same base are parts of one attachment. The program attaches before it maps anything else, so that
 * the whole range is free; then what the task had unmapped is unmapped, and what it had protected
 * is protected. Attachments are made in ascending order; one that needs a place where a part of an
 * earlier one has to stay is refused.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/err.h"
#include "core/memory/memory-plan.h"
#include "kernel/sys.h"

static const struct mem_object *object_of(const struct mem_plan *p, const struct vma *v)
{
	return v->object == NO_OBJECT ? NULL : &p->object[v->kind].v[v->object];
}

bool vma_is_attached(const struct mem_plan *p, const struct vma *v)
{
	const struct mem_object *o = object_of(p, v);

	return o && o->kind->attach;
}

bool vma_is_made(const struct mem_plan *p, const struct vma *v)
{
	const struct mem_object *o = object_of(p, v);

	return o && (o->kind->attach || o->kind->make);
}

struct attachment attachment_of(const struct mem_plan *p, const struct vma *v)
{
	struct attachment a = { object_of(p, v), v->start - v->offset, 0, 0 };

	a.end = a.base + a.object->kind->bytes(a.object, &a.prot);
	return a;
}

static bool same(const struct attachment *a, const struct attachment *b)
{
	return a->object == b->object && a->base == b->base;
}

static int by_base(const void *a, const void *b)
{
	const struct attachment *x = a, *y = b;

	return x->base < y->base ? -1 : x->base > y->base;
}

typedef VEC(struct attachment) attachment_list;

static attachment_list find_all(struct arena *arena, const struct mem_plan *p,
				const struct space *s)
{
	attachment_list all = { 0 };

	vec_foreach(v, &s->mm.vma) {
		struct attachment a;
		bool known = false;

		if (!vma_is_attached(p, v))
			continue;
		a = attachment_of(p, v);
		vec_foreach(b, &all)
			known |= same(&a, b);
		if (!known)
			*vec_push(arena, &all) = a;
	}
	vec_sort(&all, by_base);
	return all;
}

/* Whether a part that is there before stands in the way of the attachment. */
static bool is_blocked(const struct mem_plan *p, const struct space *s, const struct attachment *a)
{
	vec_foreach(v, &s->mm.vma) {
		struct attachment other;

		if (v->start >= a->end || v->end <= a->base || !vma_is_attached(p, v))
			continue;
		other = attachment_of(p, v);
		if (!same(&other, a) && other.base <= a->base)
			return true;
	}
	vec_foreach(piece, &s->piece)
		if (piece->start < a->end && piece->end > a->base)
			return true;
	return false;
}

int memory_plan_attached(struct restore *r, const struct space *s)
{
	attachment_list all;

	vec_foreach(v, &s->mm.vma) {
		struct attachment a;

		if (!vma_is_attached(r->memory, v))
			continue;
		a = attachment_of(r->memory, v);
		if (v->offset > v->start || v->end > a.end || !v->shared)
			return fail(-EPROTO,
				    "task %d: mapping %" PRIx64 " is no part of what it attaches",
				    s->task->pid, v->start);
	}
	all = find_all(&r->arena, r->memory, s);
	vec_foreach(a, &all)
		if (is_blocked(r->memory, s, a))
			(void)refuse(&r->blockers, s->task->pid,
				     arena_printf(&r->arena, "what is attached at %" PRIx64,
						  a->base),
				     "something else lies where a part of it was unmapped",
				     NULL); /* collected */
	return 0;
}

static void stage_parts(struct prog *p, const struct mem_plan *m, const struct space *s,
			const struct attachment *a)
{
	uint64_t at = a->base;

	vec_foreach(v, &s->mm.vma) {
		struct attachment of;

		if (!vma_is_attached(m, v))
			continue;
		of = attachment_of(m, v);
		if (!same(&of, a))
			continue;
		if (v->start > at)
			prog_call(p, SYS_munmap, (int64_t)at, (int64_t)(v->start - at));
		if (v->prot != a->prot)
			prog_call(p, SYS_mprotect, (int64_t)v->start, (int64_t)(v->end - v->start),
				  v->prot);
		at = v->end;
	}
	if (at < a->end)
		prog_call(p, SYS_munmap, (int64_t)at, (int64_t)(a->end - at));
}

void memory_stage_attached(struct prog *p, const struct mem_plan *m, const struct space *s)
{
	attachment_list all = find_all(p->arena, m, s);

	vec_foreach(a, &all) {
		a->object->kind->attach(p, a->object, a->base);
		stage_parts(p, m, s, a);
	}
}
