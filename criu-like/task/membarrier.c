/*
 * membarrier registrations, an attribute of the address space. The private commands show
 * themselves: EPERM means not registered, and where they are, trying one is a harmless barrier. (To
 * ask for the registrations, 6.3+, is not enough: any private one is told as the plain one too.)
 * The global one is only told by asking, so before 6.3 it is unknown. They are registered again
 * before there are threads to synchronise.
 */
#include <linux/membarrier.h>

#include "base/err.h"
#include "core/kind.h"
#include "kernel/sys.h"
#include "membarrier.pb-c.h"

enum { GET_REGISTRATIONS = 512 };

static const struct {
	int command, registration;
} pairs[] = {
	{ MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED },
	{ MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
	  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE },
	{ MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ },
};
enum {
	PRIVATE = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
	KNOWN = PRIVATE | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
};

struct answers {
	int64_t registrations, tried[array_size(pairs)];
};

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct answers *a = answers;

	(void)d, (void)t;
	prog_any(prog_call(p, SYS_membarrier, GET_REGISTRATIONS, 0, 0));
	prog_result(p, &a->registrations);
	for (size_t i = 0; i < array_size(pairs); i++) {
		prog_any(prog_call(p, SYS_membarrier, pairs[i].command, 0, 0));
		prog_result(p, &a->tried[i]);
	}
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct answers *a = answers;
	Membarrier *m = msg;

	(void)d, (void)t;
	if (a->registrations >= 0)
		m->registrations = (uint32_t)a->registrations & ~(uint32_t)PRIVATE;
	for (size_t i = 0; i < array_size(pairs); i++)
		if (a->tried[i] == 0)
			m->registrations |= (uint32_t)pairs[i].registration;
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Membarrier *m = msg;

	if (m->registrations & ~KNOWN)
		return refuse(&r->blockers, t->tid, "membarrier registrations",
			      "some are unknown to this version", "use a newer torpor");
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	uint32_t left = ((const Membarrier *)msg)->registrations;

	for (uint32_t bit = 1; at->stage == STAGE_TASK && left; bit <<= 1, left &= ~(bit - 1))
		if (left & bit)
			prog_call(p, SYS_membarrier, bit, 0, 0);
	return 0;
}

const struct task_kind kind_membarrier = {
	"membarrier",
	&membarrier__descriptor,
	SCOPE_TASK,
	OBJECT_MM,
	.answer_bytes = sizeof(struct answers),
	.ask = ask,
	.dump = dump,
	.plan = plan,
	.stage = stage,
};
