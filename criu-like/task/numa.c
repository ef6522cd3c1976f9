/*
 * The memory policy of a thread (set_mempolicy), asked inside; mappings have policies of their own.
 * It is set before the thread allocates anything else. Kernels without NUMA answer ENOSYS: no
 * record. The home node of a policy (6.1) is an attribute of mappings only.
 */
#include "base/err.h"
#include "core/kind.h"
#include "kernel/sched.h"
#include "numa.pb-c.h"

enum { WORDS = NUMA_MASK_BYTES / 8, BITS = NUMA_MASK_BYTES * 8 };

struct answers {
	int64_t result;
	int32_t mode, pad;
	uint64_t nodes[WORDS];
};

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct answers *a = answers;

	(void)d, (void)t;
	prog_accept(prog_call(p, SYS_get_mempolicy, prog_out(p, &a->mode, sizeof(a->mode)),
			      prog_out(p, a->nodes, sizeof(a->nodes)), BITS, 0, 0),
		    ENOSYS);
	prog_result(p, &a->result);
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct answers *a = answers;
	Numa *m = msg;

	(void)t;
	if (a->result < 0)
		return KIND_NOTHING;
	m->mode = (uint32_t)a->mode;
	m->n_nodes = WORDS;
	while (m->n_nodes && !a->nodes[m->n_nodes - 1])
		m->n_nodes--;
	m->nodes = arena_memdup(&d->arena, a->nodes, sizeof(a->nodes));
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Numa *m = msg;

	(void)r, (void)t;
	return m->n_nodes <= WORDS
		       ? 0
		       : fail(-EPROTO, "memory policy over %zu words of nodes", m->n_nodes);
}

/* The kernel takes one off the number of bits. */
static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Numa *m = msg;

	if (at->stage != STAGE_THREAD)
		return 0;
	prog_where(p, "memory policy %#x", m->mode);
	if (m->n_nodes)
		prog_call(p, SYS_set_mempolicy, m->mode, prog_in(p, m->nodes, m->n_nodes * 8),
			  m->n_nodes * 64 + 1);
	else
		prog_call(p, SYS_set_mempolicy, m->mode, 0, 0);
	return 0;
}

const struct task_kind kind_numa = {
	"numa",
	&numa__descriptor,
	SCOPE_THREAD,
	.optional = true,
	.answer_bytes = sizeof(struct answers),
	.ask = ask,
	.dump = dump,
	.plan = plan,
	.stage = stage,
};
