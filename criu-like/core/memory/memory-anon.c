/*
 * Private anonymous memory: heap, stacks, arenas, what malloc maps. Nothing is behind it but its
 * pages; where it was mapped first (the offset that some tools show) is lost. Its name, if it has
 * one, was given by prctl(PR_SET_VMA) and is put back in the same way.
 */
#include "core/memory/memory-kind.h"

static bool match(struct dump *d, const struct vma_probe *p)
{
	(void)d;
	return !p->text->vma.ino && !p->text->vma.major && !p->text->vma.minor &&
	       !p->text->vma.shared;
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	(void)d;
	(void)p;
	v->offset = 0; /* says only where it was mapped first */
	return 0;
}

const struct mem_kind kind_anon = {
	.name = "anon", .number = VMA__KIND__ANON, .match = match, .dump = dump
};
