/*
 * The registration of restartable sequences of a thread, told by ptrace (5.13+). It is registered
 * anew when the thread's memory is in place; the tool's own one is gone by then. Critical sections
 * that were interrupted belong to the registers.
 */
#include "base/err.h"
#include "core/kind.h"
#include "core/stop/victim.h"
#include "kernel/ptrace-inquiry.h"
#include "rseq.pb-c.h"

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	struct trace_rseq c = { 0 };
	int r = victim_rseq(t, &c) ? 0 : trace_rseq(t->tid, &c);
	Rseq *m = msg;

	(void)answers;
	if (r < 0)
		return fail(r, "ask for the rseq registration of thread %d", t->tid);
	if (c.flags)
		return refuse(&d->blockers, t->tid, "rseq registration", "it has unknown flags",
			      NULL);
	m->pointer = c.pointer;
	m->size = c.size;
	m->signature = c.signature;
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Rseq *m = msg;

	if (at->stage == STAGE_THREAD && m->pointer)
		prog_call(p, SYS_rseq, m->pointer, m->size, 0, m->signature);
	return 0;
}

const struct task_kind kind_rseq = {
	"rseq", &rseq__descriptor, SCOPE_THREAD, .dump = dump, .stage = stage,
};
