/*
 * Queued signals, read by PTRACE_PEEKSIGINFO, so nothing is consumed. The kernel accepts a siginfo
 * that looks like its own (si_code >= 0, SI_TKILL) only from the target itself: the restored thread
 * queues its own signals, all signals blocked. Numbers come from getpid/gettid inside, whatever the
 * namespace.
 *
 * SIGKILL ends the task anyway and SIGSTOP belongs to job control: both are left out. A timer's
 * signal comes back without the kernel's private link to the timer.
 */
#include "core/stop/pending.h"

#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "kernel/ptrace-inquiry.h"

enum { BATCH = 32, TIMER_PRIVATE_AT = 32 };

static uint64_t bit(int sig)
{
	return 1ull << (sig - 1);
}

static void keep(struct dump *d, struct pending *p, const siginfo_t *info, size_t *cap)
{
	char *copy = arena_memdup(&d->arena, info, SIGINFO_BYTES);

	if (info->si_code == SI_TIMER)
		memset(copy + TIMER_PRIVATE_AT, 0, sizeof(int32_t));
	p->info = vec_reserve(&d->arena, p->info, p->n, cap, sizeof(*p->info));
	p->info[p->n++] = (ProtobufCBinaryData){ SIGINFO_BYTES, (uint8_t *)copy };
}

int pending_dump(struct dump *d, const struct thread *t, bool shared, uint64_t mask,
		 struct pending *ret)
{
	uint64_t left_out = bit(SIGKILL) | bit(SIGSTOP), first = 0;
	struct pending p = { 0 };
	siginfo_t infos[BATCH];
	size_t cap = 0;
	int n = 0;

	_Static_assert(sizeof(siginfo_t) == SIGINFO_BYTES, "the kernel's siginfo");
	for (mask &= ~left_out;
	     mask && (n = trace_peek_signals(t->tid, shared, first, infos, BATCH)) > 0;
	     first += (uint64_t)n)
		for (int i = 0; i < n; i++)
			if (infos[i].si_signo >= 1 && infos[i].si_signo <= 64 &&
			    !(left_out & bit(infos[i].si_signo)))
				keep(d, &p, &infos[i], &cap);
	if (n < 0)
		return fail(n, "read the queued signals of thread %d", t->tid);
	for (size_t i = 0; i < p.n; i++)
		mask &= ~bit(pending_signal(&p.info[i]));
	for (int sig = 1; sig <= 64; sig++)
		if (mask & bit(sig))
			keep(d, &p, &(siginfo_t){ .si_signo = sig, .si_code = SI_USER }, &cap);
	*ret = p;
	return p.n ? 0 : KIND_NOTHING;
}

int pending_signal(const ProtobufCBinaryData *info)
{
	int32_t sig;

	memcpy(&sig, info->data, sizeof(sig));
	return sig;
}

int pending_check(const struct pending *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->info[i].len != SIGINFO_BYTES)
			return fail(-EPROTO, "queued signal of %zu bytes", p->info[i].len);
		int sig = pending_signal(&p->info[i]);

		if (sig < 1 || sig > 64 || sig == SIGKILL || sig == SIGSTOP)
			return fail(-EPROTO, "queued signal %d", sig);
	}
	return 0;
}

struct pending_self pending_self(struct prog *p)
{
	struct pending_self self;

	prog_call0(p, SYS_getpid);
	self.pid = prog_keep(p);
	prog_call0(p, SYS_gettid);
	self.tid = prog_keep(p);
	return self;
}

void pending_queue(struct prog *p, const struct pending_self *self, const ProtobufCBinaryData *info,
		   bool shared)
{
	int sig = pending_signal(info);
	struct prog_arg data = prog_in(p, info->data, info->len);

	prog_where(p, "queue signal %d", sig);
	if (shared)
		prog_call(p, SYS_rt_sigqueueinfo, self->pid, sig, data);
	else
		prog_call(p, SYS_rt_tgsigqueueinfo, self->pid, self->tid, sig, data);
}
