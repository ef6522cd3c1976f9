/*
 * Syscall user dispatch (6.4+ tells it by ptrace): system calls outside a range raise SIGSYS. It is
 * set from outside as the very last thing, since the blob itself would be outside the range. A new
 * thread has none, so no record means off.
 */
#include "base/err.h"
#include "core/kind.h"
#include "core/stop/victim.h"
#include "kernel/ptrace-inquiry.h"
#include "user_dispatch.pb-c.h"

enum { MODE_OFF = 0, MODE_ON = 1 };

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	struct trace_dispatch c = { 0 };
	UserDispatch *m = msg;
	int r = victim_dispatch_off(t) ? 0 : trace_dispatch(t->tid, &c);

	(void)d, (void)answers;
	if (r)
		return fail(r, "ask for the syscall user dispatch of thread %d", t->tid);
	m->mode = c.mode;
	m->selector = c.selector;
	m->offset = c.offset;
	m->len = c.len;
	return c.mode == MODE_OFF ? KIND_NOTHING : 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const UserDispatch *m = msg;

	if (m->mode != MODE_ON)
		return refuse(&r->blockers, t->tid, "mode of syscall user dispatch",
			      "it is unknown to this version", "use a newer torpor");
	return 0;
}

static int last(struct restore *r, const struct thread *t, const void *msg)
{
	const UserDispatch *m = msg;
	struct trace_dispatch c = { m->mode, m->selector, m->offset, m->len };
	int n = trace_set_dispatch(t->tid, &c);

	(void)r;
	return n ? fail(n, "set the syscall user dispatch of thread %d", t->tid) : 0;
}

const struct task_kind kind_user_dispatch = {
	"user_dispatch", &user_dispatch__descriptor,
	SCOPE_THREAD,	 .optional = true,
	.dump = dump,	 .plan = plan,
	.last = last,
};
