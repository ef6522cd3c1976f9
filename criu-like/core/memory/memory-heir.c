/*
 * Whether a task can be born with its mappings: as a fork of its parent's program, when that has
 * mapped everything and read nothing. Then all mappings are as the parent's, and what both have is
 * in them by then (segments, core/memory/memory-family.c). Advice, names, locks and seals come
 * later, from the task's own program, so they may differ.
 *
 * Excluded are mappings that a fork does not copy or that are more than what mmap(2) makes.
 */
#include <string.h>

#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"

enum {
	MAPPED_FLAGS = VMA__FLAG__GROWSDOWN | VMA__FLAG__NORESERVE | VMA__FLAG__HUGEPAGE |
		       VMA__FLAG__NOHUGEPAGE,
	NOT_FORKED = VMA__FLAG__DROPPABLE | VMA__FLAG__SYNC,
};

static bool same_mapping(const struct mem_plan *m, const struct vma *a, const struct vma *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->object == b->object && a->kind == b->kind && a->prot == b->prot &&
	       a->shared == b->shared && !((a->flags ^ b->flags) & MAPPED_FLAGS) &&
	       !((a->flags | b->flags) & NOT_FORKED) && !a->page_shift && !b->page_shift &&
	       !vma_is_made(m, a) && a->kind != VMA__KIND__RING &&
	       (a->kind != VMA__KIND__SPECIAL || !strcmp(a->name, b->name));
}

static bool same_limits(const Mm *a, const Mm *b)
{
	uint8_t x[8192], y[8192];
	size_t len;

	if (a == b)
		return true;
	len = protobuf_c_message_get_packed_size(&a->base);
	if (len > sizeof(x) || protobuf_c_message_get_packed_size(&b->base) != len)
		return false;
	(void)protobuf_c_message_pack(&a->base, x); /* len bytes */
	(void)protobuf_c_message_pack(&b->base, y); /* as above */
	return !memcmp(x, y, len);
}

static bool same_mappings(const struct mem_plan *m, const struct space *a, const struct space *b)
{
	if (a->mm.vma.n != b->mm.vma.n)
		return false;
	for (size_t i = 0; i < a->mm.vma.n; i++)
		if (!same_mapping(m, &a->mm.vma.v[i], &b->mm.vma.v[i]))
			return false;
	return true;
}

bool memory_inherit(struct restore *r, const struct task *t, const struct task *from)
{
	struct space *s = r->memory->space[t->index], *f = r->memory->space[from->index];

	if (!s || !f || s->from != f || s->load.n || s->brk != f->brk ||
	    !same_mappings(r->memory, s, f) || !same_limits(s->msg, f->msg))
		return false;
	/* The sources of its pages are open where the parent has them. */
	s->heir = true;
	s->source = f->source;
	s->first_fd = f->first_fd;
	s->n_fd = f->n_fd;
	return true;
}
