/*
 * Signals queued for a process as a whole. Before they are queued again, what the restore itself
 * has left in the queue is taken out: SIGCHLD (or another exit signal) of zombies and helpers that
 * died.
 */
#include <errno.h>

#include "core/stop/pending.h"
#include "kernel/proc-status.h"
#include "kernel/sys.h"
#include "sigqueue.pb-c.h"

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	Sigqueue *m = msg;
	struct pending p = { 0 };
	int r = pending_dump(d, t, true, t->status->shdpnd, &p);

	(void)answers;
	m->info = p.info;
	m->n_info = p.n;
	return r == KIND_NOTHING ? 0 : r;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Sigqueue *m = msg;

	(void)r, (void)t;
	return pending_check(&(struct pending){ m->info, m->n_info });
}

/* Everything that is queued, until none is left (EAGAIN). */
static void drain(struct prog *p)
{
	static const uint64_t all = UINT64_MAX, now[2];

	prog_where(p, "drain signals of the restore");
	prog_any(prog_call(p, SYS_rt_sigtimedwait, prog_in(p, &all, sizeof(all)), 0,
			   prog_in(p, now, sizeof(now)), sizeof(all)));
	prog_loop(p, 1, prog_keep(p), -EAGAIN, 4096);
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Sigqueue *m = msg;
	struct pending_self self;

	if (at->stage != STAGE_SIGNALS)
		return 0;
	drain(p);
	if (m->n_info)
		self = pending_self(p);
	for (size_t i = 0; i < m->n_info; i++)
		pending_queue(p, &self, &m->info[i], true);
	return 0;
}

const struct task_kind kind_sigqueue = {
	"sigqueue", &sigqueue__descriptor, SCOPE_TASK, .dump = dump, .plan = plan, .stage = stage,
};
