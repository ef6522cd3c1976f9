/*
 * The name of a thread: up to 15 bytes of any value but 0. It is asked inside, so that no file of
 * /proc needs to be opened per thread, and set in each thread as one of the first things, so that
 * what the kernel logs during a restore bears the right name.
 */
#include <string.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "core/kind.h"
#include "comm.pb-c.h"
#include "kernel/sys.h"

enum { NAME_BYTES = 16 };

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	(void)d, (void)t;
	prog_call(p, SYS_prctl, PR_GET_NAME, prog_out(p, answers, NAME_BYTES));
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const char *name = t->dead ? t->task->comm : answers;
	Comm *m = msg;

	m->name.len = strnlen(name, NAME_BYTES - 1);
	m->name.data = arena_memdup(&d->arena, name, NAME_BYTES);
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Comm *m = msg;

	(void)r, (void)t;
	if (m->name.len >= NAME_BYTES || memchr(m->name.data, 0, m->name.len))
		return fail(-EPROTO, "thread name of %zu bytes", m->name.len);
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Comm *m = msg;
	char name[NAME_BYTES] = "";

	if (at->stage != STAGE_THREAD)
		return 0;
	if (m->name.len)
		memcpy(name, m->name.data, m->name.len);
	prog_call(p, SYS_prctl, PR_SET_NAME, prog_in(p, name, sizeof(name)));
	return 0;
}

const struct task_kind kind_comm = {
	"comm",	    &comm__descriptor, SCOPE_THREAD, .outlives = true, .answer_bytes = NAME_BYTES,
	.ask = ask, .dump = dump,      .plan = plan, .stage = stage,
};
