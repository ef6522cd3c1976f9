/*
 * The kernel's own pages: [vdso] with the code of fast system calls, [vvar] and [vvar_vclock]
 * (6.13) with their data. They are never saved: after the restore the running kernel's are moved to
 * the same addresses. The engine does that (core/memory/memory-vdso.c), for all parts at once.
 */
#include "core/memory/memory-kind.h"

static bool match(struct dump *d, const struct vma_probe *p)
{
	const struct vma_text *v = &p->text->vma;

	(void)d;
	return !v->ino && (span_eq(v->path, "[vdso]") || span_eq(v->path, "[vvar]") ||
			   span_eq(v->path, "[vvar_vclock]"));
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	v->offset = 0;
	v->name = arena_strndup(&d->arena, p->text->vma.path.p, p->text->vma.path.len);
	v->flags &= VMA__FLAG__SEALED; /* the rest comes with the mapping */
	if (!v->flags)
		return 0;
	return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text),
		      "it is sealed, so that it cannot be moved there again",
		      "boot without sealed system mappings");
}

const struct mem_kind kind_special = {
	.name = "special", .number = VMA__KIND__SPECIAL, .match = match, .dump = dump,
};
