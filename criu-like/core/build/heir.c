/*
 * Heirs: children that are forked by their parent's program, when the parent's address space stands
 * and before its content is read. A child that is forked from the tool has to take the tool's
 * address space down and put up its own, which is most of the work of a birth, and most page faults
 * of it. An heir has its mappings, its vdso, its descriptors and its directories from the
 * beginning; its program reads the pages that differ and goes on like any other.
 *
 * What our code does in a forked task before the blob (sessions, groups, files, what kinds apply)
 * does not happen in an heir. So it must have all that in common with its parent: group, session,
 * descriptors, mappings, the records of those kinds; and it has no children. And nobody may wait
 * for the whole tree before the parent's program has run: no memory, table or thread whose birth
 * depends on others.
 */
#include "core/build/heir.h"

#include "core/build/birth.h"
#include "core/file/file.h"
#include "core/memory/memory.h"
#include "core/task-kinds.h"

bool births_independent(const struct restore *r)
{
	const struct birth_plan *b = r->births;

	return !b->n_mm_shared && !b->n_early && !b->n_stand_in && files_need_nobody(r);
}

static bool owns_all(const struct task *t)
{
	return t->state == TASK_ALIVE && t->mm == t->index && t->files == t->index &&
	       t->fs == t->index && t->sighand == t->index;
}

/* Nothing but a fork happens between the parent and the child. */
static bool plain_birth(const struct birth *b)
{
	const struct birth *m = b->maker;

	return m && m == b->parent && b->task && m->task && owns_all(b->task) &&
	       owns_all(m->task) && !b->make.n && !b->by && !b->before_setsid && !b->setsid &&
	       !b->lead_group && !b->orphan && !b->subreaper && !b->clone_flags &&
	       !b->unshare_flags && !m->unshare_flags && b->pgid == m->pgid &&
	       b->task->sid == m->task->sid;
}

void heirs_find(struct restore *r)
{
	if (!births_independent(r))
		return;
	vec_foreach(b, &r->births->all) {
		const struct task *t = (*b)->task;

		if (!plain_birth(*b) || !files_inherit(r, t, (*b)->maker->task) ||
		    !task_kinds_inherit(r, t, (*b)->maker->task))
			continue;
		(*b)->heir = memory_inherit(r, t, (*b)->maker->task);
		r->births->n_heir += (*b)->heir;
		r->births->n_fork -= (*b)->heir;
	}
}
