/*
 * Attributes of a thread that only prctl(2) knows: parent-death signal, timer slack, time stamp
 * counter access, machine check policy, io-flusher state, speculation control. Asked inside.
 *
 * The parent-death signal is reset by a change of credentials, hence after them; the timer slack is
 * ignored under a real-time policy, hence before it. PR_GET_IO_FLUSHER wants CAP_SYS_RESOURCE: a
 * task without it counts as no io flusher. Forced speculation mitigations are irreversible but can
 * be set again. Not told by the kernel: PR_SET_PTRACER.
 */
#include <sys/prctl.h>

#include "base/err.h"
#include "base/log.h"
#include "core/kind.h"
#include "kernel/sys.h"
#include "prctl.pb-c.h"

enum {
	SPECULATIONS = 3,
	SPEC_SETTABLE = PR_SPEC_ENABLE | PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE | 16
};

struct answers {
	int32_t pdeath_signal, tsc;
	int64_t slack, mce_kill, io_flusher, speculation[SPECULATIONS];
};

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct answers *a = answers;

	(void)d, (void)t;
	prog_call(p, SYS_prctl, PR_GET_PDEATHSIG, prog_out(p, &a->pdeath_signal, sizeof(int32_t)));
	prog_call(p, SYS_prctl, PR_GET_TSC, prog_out(p, &a->tsc, sizeof(int32_t)));
	prog_call(p, SYS_prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prog_result(p, &a->slack);
	prog_call(p, SYS_prctl, PR_MCE_KILL_GET, 0, 0, 0, 0);
	prog_result(p, &a->mce_kill);
	prog_any(prog_call(p, SYS_prctl, PR_GET_IO_FLUSHER, 0, 0, 0, 0));
	prog_result(p, &a->io_flusher);
	for (int i = 0; i < SPECULATIONS; i++) {
		prog_any(prog_call(p, SYS_prctl, PR_GET_SPECULATION_CTRL, i, 0, 0, 0));
		prog_result(p, &a->speculation[i]);
	}
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct answers *a = answers;
	Prctl *m = msg;

	(void)t;
	m->pdeath_signal = (uint32_t)a->pdeath_signal;
	m->timer_slack_ns = (uint64_t)a->slack;
	m->tsc = (uint32_t)a->tsc;
	m->mce_kill = (uint32_t)a->mce_kill;
	m->io_flusher = a->io_flusher == 1;
	m->n_speculation = SPECULATIONS;
	m->speculation = arena_array(&d->arena, uint32_t, SPECULATIONS);
	for (int i = 0; i < SPECULATIONS; i++)
		m->speculation[i] = a->speculation[i] < 0 ? 0 : (uint32_t)a->speculation[i];
	return 0;
}

/*
 * The restored root is the tool's child: with -d the tool's end would be the death
 * of its parent.
 */
static bool orphaned_soon(const struct restore *r, const struct thread *t)
{
	return t->task->index == 0 && r->opt && r->opt->detach && !r->opt->sibling;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Prctl *m = msg;

	if (m->pdeath_signal && orphaned_soon(r, t))
		log_warn("parent-death signal %u is not restored: the tool is the parent and ends",
			 m->pdeath_signal);
	if (m->pdeath_signal > 64)
		return fail(-EPROTO, "parent-death signal %u", m->pdeath_signal);
	if (m->n_speculation > SPECULATIONS)
		return fail(-EPROTO, "%zu speculation controls", m->n_speculation);
	if (m->tsc != PR_TSC_ENABLE && m->tsc != PR_TSC_SIGSEGV)
		return fail(-EPROTO, "time stamp counter access %u", m->tsc);
	if (m->mce_kill > PR_MCE_KILL_DEFAULT)
		return fail(-EPROTO, "machine check policy %u", m->mce_kill);
	return 0;
}

static void stage_thread(struct prog *p, const Prctl *m)
{
	struct prog_op *flusher;

	prog_where(p, "timer slack");
	if (m->timer_slack_ns)
		prog_call(p, SYS_prctl, PR_SET_TIMERSLACK, m->timer_slack_ns, 0, 0, 0);
	prog_where(p, "machine check policy %u", m->mce_kill);
	prog_call(p, SYS_prctl, PR_MCE_KILL, PR_MCE_KILL_SET, m->mce_kill, 0, 0);
	prog_where(p, "io flusher state %d", m->io_flusher);
	flusher = prog_call(p, SYS_prctl, PR_SET_IO_FLUSHER, m->io_flusher, 0, 0, 0);
	if (!m->io_flusher)
		prog_accept(prog_accept(flusher, EPERM), EINVAL);
}

/* ENXIO, ENODEV: this processor needs none. EPERM: enabling what is off for good. */
static void stage_speculation(struct prog *p, const Prctl *m)
{
	for (size_t i = 0; i < m->n_speculation; i++) {
		uint32_t value = m->speculation[i] & SPEC_SETTABLE;
		struct prog_op *op;

		if (!(m->speculation[i] & PR_SPEC_PRCTL) || !value)
			continue;
		prog_where(p, "speculation control %zu: %u", i, value);
		op = prog_call(p, SYS_prctl, PR_SET_SPECULATION_CTRL, i, value, 0, 0);
		prog_accept(prog_accept(op, ENXIO), ENODEV);
		if (value == PR_SPEC_ENABLE)
			prog_accept(op, EPERM);
	}
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Prctl *m = msg;
	uint32_t pdeath_signal;

	if (at->stage == STAGE_THREAD)
		stage_thread(p, m);
	if (at->stage != STAGE_CREDS)
		return 0;
	stage_speculation(p, m);
	prog_where(p, "time stamp counter access %u", m->tsc);
	prog_call(p, SYS_prctl, PR_SET_TSC, m->tsc, 0, 0, 0);
	pdeath_signal = orphaned_soon(at->r, at->thread) ? 0 : m->pdeath_signal;
	prog_where(p, "parent-death signal %u", pdeath_signal);
	prog_call(p, SYS_prctl, PR_SET_PDEATHSIG, pdeath_signal, 0, 0, 0);
	return 0;
}

const struct task_kind kind_prctl = {
	"prctl",
	&prctl__descriptor,
	SCOPE_THREAD,
	.outlives = true,
	.answer_bytes = sizeof(struct answers),
	.ask = ask,
	.dump = dump,
	.plan = plan,
	.stage = stage,
};
