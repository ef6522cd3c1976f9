/*
 * Signals queued for one thread. SIGCHLD waits one stage longer than the others: the leader sets
 * its action meanwhile, and an action that ignores a signal empties the queues of all threads of
 * it.
 */
#include <signal.h>

#include "core/stop/pending.h"
#include "kernel/proc-status.h"
#include "sigpending.pb-c.h"

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	Sigpending *m = msg;
	struct pending p = { 0 };
	int r = pending_dump(d, t, false, t->status->sigpnd, &p);

	(void)answers;
	m->info = p.info;
	m->n_info = p.n;
	return r;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Sigpending *m = msg;

	(void)r, (void)t;
	return pending_check(&(struct pending){ m->info, m->n_info });
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Sigpending *m = msg;
	struct pending_self self;
	bool asked = false;

	for (size_t i = 0; i < m->n_info; i++) {
		bool late = pending_signal(&m->info[i]) == SIGCHLD;

		if (at->stage != (late ? STAGE_CREDS : STAGE_SIGNALS))
			continue;
		if (!asked)
			self = pending_self(p);
		asked = true;
		pending_queue(p, &self, &m->info[i], false);
	}
	return 0;
}

const struct task_kind kind_sigpending = {
	"sigpending", &sigpending__descriptor, SCOPE_THREAD, .optional = true, .dump = dump,
	.plan = plan, .stage = stage,
};
