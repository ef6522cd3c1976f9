/*
 * The alternate signal stack of a thread. Only the thread can ask. SS_ONSTACK follows from the
 * stack pointer and is no state. The kernel compares the size with what this processor's signal
 * frame needs: a stack that was legal on a smaller processor may be refused (ENOMEM) on a larger
 * one.
 */
#include <signal.h>

#include "base/err.h"
#include "core/kind.h"
#include "kernel/sys.h"
#include "sigaltstack.pb-c.h"

#define AUTODISARM (1u << 31)

struct altstack {
	uint64_t sp;
	uint32_t flags, pad;
	uint64_t size;
};

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	(void)d, (void)t;
	prog_call(p, SYS_sigaltstack, 0, prog_out(p, answers, sizeof(struct altstack)));
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct altstack *a = answers;
	Sigaltstack *m = msg;

	(void)d, (void)t;
	m->sp = a->sp;
	m->size = a->size;
	m->flags = a->flags & ~(uint32_t)SS_ONSTACK;
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Sigaltstack *m = msg;

	(void)r, (void)t;
	if (m->flags & ~(SS_DISABLE | AUTODISARM))
		return fail(-EPROTO, "alternate signal stack with flags %#x", m->flags);
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Sigaltstack *m = msg;
	struct altstack a = { m->sp, m->flags, 0, m->size };

	if (at->stage != STAGE_THREAD)
		return 0;
	prog_where(p, "alternate signal stack at %#llx", (unsigned long long)m->sp);
	prog_call(p, SYS_sigaltstack, prog_in(p, &a, sizeof(a)), 0);
	return 0;
}

const struct task_kind kind_sigaltstack = {
	"sigaltstack", &sigaltstack__descriptor,
	SCOPE_THREAD,  .answer_bytes = sizeof(struct altstack),
	.ask = ask,    .dump = dump,
	.plan = plan,  .stage = stage,
};
