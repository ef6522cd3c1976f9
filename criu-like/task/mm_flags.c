/*
 * Flags of an address space that prctl(2) knows: dumpable, huge pages disabled, merging of equal
 * pages, memory-deny-write-execute. Any thread's change of credentials resets dumpable, so it is
 * set when all have theirs. Deny-write-execute is irreversible and comes last.
 *
 * Dumpable 2 has no setter: it comes back as 0, which differs only in core dumps to a pipe.
 */
#include <sys/prctl.h>

#include "base/err.h"
#include "base/log.h"
#include "core/kind.h"
#include "kernel/sys.h"
#include "mm_flags.pb-c.h"

enum { SET_MDWE = 65, GET_MDWE = 66, SET_MEMORY_MERGE = 67, GET_MEMORY_MERGE = 68 };
enum { THP_OFF = 1, THP_OFF_EXCEPT_ADVISED = 3, THP_EXCEPT_ADVISED = 2, MDWE_KNOWN = 3 };

struct answers {
	int64_t dumpable, thp_disable, memory_merge, mdwe;
};

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct answers *a = answers;

	(void)d, (void)t;
	prog_call(p, SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
	prog_result(p, &a->dumpable);
	prog_call(p, SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0);
	prog_result(p, &a->thp_disable);
	prog_any(prog_call(p, SYS_prctl, GET_MEMORY_MERGE, 0, 0, 0, 0));
	prog_result(p, &a->memory_merge);
	prog_any(prog_call(p, SYS_prctl, GET_MDWE, 0, 0, 0, 0));
	prog_result(p, &a->mdwe);
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct answers *a = answers;
	MmFlags *m = msg;

	(void)d, (void)t;
	m->dumpable = (uint32_t)a->dumpable;
	m->thp_disable = (uint32_t)a->thp_disable;
	m->memory_merge = a->memory_merge == 1;
	m->mdwe = a->mdwe < 0 ? 0 : (uint32_t)a->mdwe;
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const MmFlags *m = msg;

	if (m->dumpable > 2)
		return fail(-EPROTO, "dumpable %u", m->dumpable);
	if (m->thp_disable && m->thp_disable != THP_OFF && m->thp_disable != THP_OFF_EXCEPT_ADVISED)
		return refuse(&r->blockers, t->tid, "mode of disabled huge pages",
			      "it is unknown to this version", "use a newer torpor");
	if (m->mdwe & ~MDWE_KNOWN)
		return refuse(&r->blockers, t->tid, "memory-deny-write-execute flags",
			      "some are unknown to this version", "use a newer torpor");
	if (m->dumpable == 2)
		log_warn("dumpable 2 comes back as 0: prctl cannot set it");
	return 0;
}

static void stage_task(struct prog *p, const MmFlags *m)
{
	struct prog_op *merge;

	prog_where(p, "disabled huge pages %u", m->thp_disable);
	prog_call(p, SYS_prctl, PR_SET_THP_DISABLE, m->thp_disable != 0,
		  m->thp_disable == THP_OFF_EXCEPT_ADVISED ? THP_EXCEPT_ADVISED : 0, 0, 0);
	prog_where(p, "merging of equal pages %d", m->memory_merge);
	merge = prog_call(p, SYS_prctl, SET_MEMORY_MERGE, m->memory_merge, 0, 0, 0);
	if (!m->memory_merge)
		prog_accept(merge, EINVAL);
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const MmFlags *m = msg;

	if (at->stage == STAGE_TASK)
		stage_task(p, m);
	if (at->stage != STAGE_ARM)
		return 0;
	prog_where(p, "dumpable %u", m->dumpable);
	prog_call(p, SYS_prctl, PR_SET_DUMPABLE, m->dumpable == 1, 0, 0, 0);
	prog_where(p, "memory-deny-write-execute %u", m->mdwe);
	if (m->mdwe)
		prog_call(p, SYS_prctl, SET_MDWE, m->mdwe, 0, 0, 0);
	return 0;
}

const struct task_kind kind_mm_flags = {
	"mm_flags",
	&mm_flags__descriptor,
	SCOPE_TASK,
	OBJECT_MM,
	.answer_bytes = sizeof(struct answers),
	.ask = ask,
	.dump = dump,
	.plan = plan,
	.stage = stage,
};
