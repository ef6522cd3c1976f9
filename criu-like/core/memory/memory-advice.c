/*
 * What is said about mappings once their content is there: advice, names, guard pages, locks,
 * seals.
 *
 * DONTFORK and WIPEONFORK come after all forks, MERGEABLE after the content. Guard pages cannot be
 * made in locked memory, locks can be set over guard pages. Locking fills a mapping with pages
 * and reports those it cannot fill (guard pages, no access, behind the end of a file), as it
 * did for the original: the mapping is locked nevertheless. Seals are the very last.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"
#include "kernel/sys.h"

enum { GUARD_INSTALL_6_13 = 102, MLOCK_ON_FAULT = 1 };

static const struct {
	uint32_t flag;
	int advice;
	const char *name;
} advice_table[] = {
	{ VMA__FLAG__SEQUENTIAL, MADV_SEQUENTIAL, "sequential" },
	{ VMA__FLAG__RANDOM, MADV_RANDOM, "random" },
	{ VMA__FLAG__DONTDUMP, MADV_DONTDUMP, "dontdump" },
	{ VMA__FLAG__DONTFORK, MADV_DONTFORK, "dontfork" },
	{ VMA__FLAG__WIPEONFORK, MADV_WIPEONFORK, "wipeonfork" },
	{ VMA__FLAG__MERGEABLE, MADV_MERGEABLE, "mergeable" },
};

static void stage_vma_advice(struct prog *p, const struct vma *v)
{
	for (size_t i = 0; i < array_size(advice_table); i++) {
		/* Droppable memory is wiped and not dumped by nature, and says so by flags. */
		if (!(v->flags & advice_table[i].flag) || (v->flags & VMA__FLAG__DROPPABLE))
			continue;
		prog_where(p, "advise %" PRIx64 "-%" PRIx64 " %s", v->start, v->end,
			   advice_table[i].name);
		prog_call(p, SYS_madvise, (int64_t)v->start, (int64_t)(v->end - v->start),
			  advice_table[i].advice);
	}
}

static void stage_name(struct prog *p, const struct vma *v)
{
	if (!v->name || v->kind == VMA__KIND__SPECIAL)
		return;
	prog_where(p, "name %" PRIx64 "-%" PRIx64 " '%s'", v->start, v->end, v->name);
	prog_call(p, SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, (int64_t)v->start,
		  (int64_t)(v->end - v->start), prog_in(p, v->name, strlen(v->name) + 1));
}

static void stage_guards(struct prog *p, const struct vma *v)
{
	vec_foreach(g, &v->guard) {
		prog_where(p, "guard pages at %" PRIx64, g->start);
		prog_call(p, SYS_madvise, (int64_t)g->start, (int64_t)(g->end - g->start),
			  GUARD_INSTALL_6_13);
	}
}

static void stage_lock(struct prog *p, const struct vma *v)
{
	struct prog_op *op;
	bool gaps = v->guard.n || v->object != NO_OBJECT || !(v->prot & PROT_READ);

	if (!(v->flags & VMA__FLAG__LOCKED))
		return;
	prog_where(p, "lock %" PRIx64 "-%" PRIx64, v->start, v->end);
	op = prog_call(p, SYS_mlock2, (int64_t)v->start, (int64_t)(v->end - v->start),
		       v->flags & VMA__FLAG__LOCKONFAULT ? MLOCK_ON_FAULT : 0);
	if (gaps)
		prog_accept(prog_accept(op, ENOMEM), EAGAIN);
}

void memory_stage_advice(struct prog *p, const struct space *s)
{
	vec_foreach(v, &s->mm.vma) {
		stage_vma_advice(p, v);
		stage_name(p, v);
		stage_guards(p, v);
		stage_lock(p, v);
	}
}

int memory_stage_last(struct prog *p, struct restore *r, const struct task *t)
{
	const struct space *s = r->memory->space[t->index];

	if (!s)
		return 0;
	memory_stage_rings(p, r, s);
	vec_foreach(v, &s->mm.vma) {
		if (!(v->flags & VMA__FLAG__SEALED) || v->kind == VMA__KIND__SPECIAL)
			continue;
		prog_where(p, "seal %" PRIx64 "-%" PRIx64, v->start, v->end);
		prog_call(p, SYS_mseal, (int64_t)v->start, (int64_t)(v->end - v->start), 0);
	}
	prog_where(p, "lock mappings to come");
	if (s->lock_future)
		prog_call(p, SYS_mlockall, s->lock_future);
	return 0;
}
