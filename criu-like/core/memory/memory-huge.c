/*
 * Whether the pools of huge pages have room for what will be restored. The kernel gives a page when
 * it is touched, and kills who touches a page that the pool has not, so it is asked before. Pages
 * of objects that exist already are not counted; relatives' private pages are counted once where
 * they are inherited.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/io.h"
#include "core/memory/memory-plan.h"
#include "kernel/sys.h"

void memory_need_huge(struct restore *r, uint32_t page_shift, uint64_t bytes)
{
	r->memory->huge[page_shift % 64] += bytes;
}

static uint64_t pool_number(struct restore *r, uint32_t shift, const char *name)
{
	struct span text;
	const char *path = arena_printf(&r->arena,
					"/sys/kernel/mm/hugepages/hugepages-%lukB/%s_hugepages",
					1ul << (shift - 10), name);

	return io_slurp_at(&r->arena, AT_FDCWD, path, &text) ? 0 : strtoull(text.p, NULL, 10);
}

static int check_pool(struct restore *r, uint32_t shift)
{
	uint64_t pages = (r->memory->huge[shift] + (1ull << shift) - 1) >> shift;
	uint64_t free = pool_number(r, shift, "free"), kept = pool_number(r, shift, "resv");
	uint64_t more = pool_number(r, shift, "nr_overcommit");

	free = (free > kept ? free - kept : 0) + more;
	if (!pages || pages <= free)
		return 0;
	return refuse(&r->blockers, 0,
		      arena_printf(&r->arena, "%" PRIu64 " huge pages of %lu kB", pages,
				   1ul << (shift - 10)),
		      arena_printf(&r->arena, "the pool has %" PRIu64 " free ones", free),
		      arena_printf(&r->arena,
				   "add %" PRIu64 " in /sys/kernel/mm/hugepages/hugepages-%lukB/"
				   "nr_hugepages", pages - free, 1ul << (shift - 10)));
}

int memory_plan_huge(struct restore *r)
{
	for (size_t i = 0; i < r->memory->n_space; i++) {
		const struct space *s = r->memory->space[i];

		for (size_t k = 0; s && k < s->mm.vma.n; k++) {
			const struct vma *v = &s->mm.vma.v[k];

			if (v->page_shift && !(s->from && s->segment.n))
				memory_need_huge(r, v->page_shift, v->end - v->start);
		}
	}
	for (uint32_t shift = 12; shift < 40; shift++)
		(void)check_pool(r, shift); /* collected */
	return 0;
}
