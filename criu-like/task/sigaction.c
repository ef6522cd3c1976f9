/*
 * Signal handlers (sighand_struct), shared by the threads of a process and by processes made with
 * CLONE_SIGHAND. Only the owner can read them, one rt_sigaction each; they come back bit by bit,
 * the restorer and unknown flags included, for all 62 signals: what the tool had must not shine
 * through.
 *
 * SIGCHLD waits until all zombies of the tree have died, since SIG_IGN or SA_NOCLDWAIT would reap
 * them.
 */
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "core/kind.h"
#include "kernel/sys.h"
#include "sigaction.pb-c.h"

enum { SIGNALS = 64, MASK_BYTES = 8 };

struct action {
	uint64_t handler, flags, restorer, mask;
};

static bool settable(int sig)
{
	return sig != SIGKILL && sig != SIGSTOP;
}

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct prog_arg all = prog_out(p, answers, sizeof(struct action[SIGNALS]));

	(void)d, (void)t;
	for (int sig = 1; sig <= SIGNALS; sig++)
		if (settable(sig))
			prog_call(p, SYS_rt_sigaction, sig, 0,
				  prog_inside(all, (uint32_t)(sig - 1) * sizeof(struct action)),
				  MASK_BYTES);
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	static const struct action none;
	const struct action *all = answers;
	Sigaction *m = msg;

	(void)t;
	m->action = arena_array(&d->arena, Sigaction__Action *, SIGNALS);
	for (uint32_t sig = 1; sig <= SIGNALS; sig++) {
		const struct action *from = &all[sig - 1];
		Sigaction__Action *a;

		if (!memcmp(from, &none, sizeof(none)))
			continue;
		a = arena_new(&d->arena, Sigaction__Action);
		sigaction__action__init(a);
		a->signal = sig;
		a->handler = from->handler;
		a->flags = from->flags;
		a->restorer = from->restorer;
		a->mask = from->mask;
		m->action[m->n_action++] = a;
	}
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Sigaction *m = msg;
	uint64_t seen = 0;

	(void)r, (void)t;
	for (size_t i = 0; i < m->n_action; i++) {
		uint32_t sig = m->action[i]->signal;

		if (sig < 1 || sig > SIGNALS || !settable((int)sig))
			return fail(-EPROTO, "action of signal %u", sig);
		if (seen >> (sig - 1) & 1)
			return fail(-EPROTO, "two actions of signal %u", sig);
		seen |= 1ull << (sig - 1);
	}
	return 0;
}

static struct action action_of(const Sigaction *m, int sig)
{
	for (size_t i = 0; i < m->n_action; i++)
		if (m->action[i]->signal == (uint32_t)sig)
			return (struct action){ m->action[i]->handler, m->action[i]->flags,
						m->action[i]->restorer, m->action[i]->mask };
	return (struct action){ 0 };
}

static void set(struct prog *p, const Sigaction *m, int sig)
{
	struct action a = action_of(m, sig);

	prog_where(p, "action of signal %d", sig);
	prog_call(p, SYS_rt_sigaction, sig, prog_in(p, &a, sizeof(a)), 0, MASK_BYTES);
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	if (at->stage == STAGE_SIGNALS)
		set(p, msg, SIGCHLD);
	if (at->stage != STAGE_INHERIT)
		return 0;
	for (int sig = 1; sig <= SIGNALS; sig++)
		if (settable(sig) && sig != SIGCHLD)
			set(p, msg, sig);
	return 0;
}

const struct task_kind kind_sigaction = {
	"sigaction",
	&sigaction__descriptor,
	SCOPE_TASK,
	OBJECT_SIGHAND,
	.answer_bytes = sizeof(struct action[SIGNALS]),
	.ask = ask,
	.dump = dump,
	.plan = plan,
	.stage = stage,
	.alike = true,
};
