/*
 * Private memory of huge pages (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB). maps shows a file of
 * the kernel's own hugetlbfs, but every mapping has its own, and its pages are saved one by one
 * like those of other private memory. Shared memory and memfds of huge pages are shmem.c. The pool
 * must have as many free pages at the restore: that is looked at before anything is made.
 */
#include "core/memory/memory-kind.h"

static bool match(struct dump *d, const struct vma_probe *p)
{
	(void)d;
	return p->text->flags & vm_flag(HT) && !p->text->vma.shared &&
	       span_starts(p->text->vma.path, "/anon_hugepage");
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	(void)d;
	v->offset = 0; /* of a file that nobody else sees */
	v->page_shift = (uint8_t)__builtin_ctzl(p->text->page_size_bytes);
	return 0;
}

const struct mem_kind kind_hugetlb = {
	.name = "hugetlb", .number = VMA__KIND__HUGETLB, .match = match, .dump = dump,
};
