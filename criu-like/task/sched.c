/*
 * Scheduling of a thread: policy, priority, nice, deadline parameters, clamps, affinity, io
 * priority. All told from outside. sched_getattr hides the nice value under a real-time policy;
 * getpriority has it. Everything needs privilege or may, so it comes before the credentials;
 * RESET_ON_FORK is safe there because nothing is forked any more.
 *
 * Cpus of the mask that the host lacks are dropped by the kernel; if none is left, the tool's own
 * mask stays, with a warning. Whether a slice (6.12+) was chosen or is the default is not told.
 */
#include <linux/ioprio.h>
#include <sched.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/kind.h"
#include "kernel/sched.h"
#include "sched.pb-c.h"

enum { CLAMP_TOP = 1024, KNOWN_FLAGS = SCHED_RESETS_ON_FORK | SCHED_RECLAIM | SCHED_DL_OVERRUN };

static int look_attributes(const struct thread *t, struct sched_attributes *ret, int *ret_nice)
{
	int r = sys_sched_getattr(t->tid, ret);

	if (!r)
		r = sched_nice(t->tid, ret_nice);
	return r < 0 ? fail(r, "ask for the scheduling of thread %d", t->tid) : 0;
}

static int look_affinity(struct dump *d, const struct thread *t, Sched *m)
{
	unsigned char mask[AFFINITY_BYTES];
	long n = sys_sched_getaffinity(t->tid, mask, sizeof(mask)), io = sys_ioprio_get(t->tid);

	if (n < 0)
		return fail(n, "ask for the affinity of thread %d", t->tid);
	if (io < 0)
		return fail(io, "ask for the io priority of thread %d", t->tid);
	while (n > 1 && !mask[n - 1])
		n--;
	m->affinity.len = (size_t)n;
	m->affinity.data = arena_memdup(&d->arena, mask, (size_t)n);
	m->ioprio = (uint32_t)io;
	return 0;
}

static int check_cookie(struct dump *d, const struct thread *t)
{
	uint64_t cookie;
	int r = sched_core_cookie(t->tid, &cookie);

	if (r)
		return fail(r, "ask for the core scheduling cookie of thread %d", t->tid);
	return cookie ? refuse(&d->blockers, t->tid, "core scheduling cookie",
			       "it cannot be recreated", NULL)
		      : 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	struct sched_attributes a = { 0 };
	Sched *m = msg;
	int nice = 0, r = look_attributes(t, &a, &nice);

	(void)answers;
	if (r)
		return r;
	m->policy = a.policy;
	m->flags = a.flags & ~(uint64_t)(SCHED_CLAMP_MIN | SCHED_CLAMP_MAX);
	m->nice = nice;
	m->priority = a.priority;
	m->has_runtime = a.runtime != 0;
	m->runtime = a.runtime;
	m->has_deadline = m->has_period = a.policy == SCHED_POLICY_DEADLINE;
	m->deadline = a.deadline;
	m->period = a.period;
	m->has_util_min = m->has_util_max = a.util_max != 0;
	m->util_min = a.util_min;
	m->util_max = a.util_max;
	r = look_affinity(d, t, m);
	return r ? r : check_cookie(d, t);
}

/* Warns when no cpu of the mask can be used here: only the kernel knows (cpusets, offline cpus). */
static int plan_affinity(const Sched *m)
{
	unsigned char mask[AFFINITY_BYTES];
	long n = sys_sched_getaffinity(0, mask, sizeof(mask)), r;

	if (n < 0)
		return fail(n, "ask for the tool's affinity");
	for (size_t i = 0; i < m->affinity.len && i < (size_t)n; i++)
		if (mask[i] & m->affinity.data[i])
			return 0;
	r = sys_sched_setaffinity(0, m->affinity.data, m->affinity.len);
	if (r)
		log_warn("no cpu of its affinity can be used here: it is not restored");
	return (int)sys_sched_setaffinity(0, mask, (size_t)n);
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Sched *m = msg;

	if (m->affinity.len < 1 || m->affinity.len > AFFINITY_BYTES)
		return fail(-EPROTO, "affinity of %zu bytes", m->affinity.len);
	if (m->nice < -20 || m->nice > 19 || m->priority > 99)
		return fail(-EPROTO, "nice value %d, priority %u", m->nice, m->priority);
	if (m->policy > SCHED_POLICY_EXT || m->flags & ~(uint64_t)KNOWN_FLAGS)
		return refuse(&r->blockers, t->tid,
			      arena_printf(&r->arena, "scheduling policy %u, flags %#llx",
					   m->policy, (unsigned long long)m->flags),
			      "it is unknown to this version", "use a newer torpor");
	return plan_affinity(m);
}

/* The default slice of this kernel; 0: it has none. */
static uint64_t default_slice(void)
{
	struct sched_attributes own = { 0 };

	return sys_sched_getattr(0, &own) ? 0 : own.runtime;
}

static struct sched_attributes attributes_of(const Sched *m)
{
	struct sched_attributes a = {
		.size = sizeof(a),
		.policy = m->policy,
		.flags = m->flags,
		.nice = m->nice,
		.priority = m->priority,
		.deadline = m->deadline,
		.period = m->period,
	};

	if (m->policy == SCHED_POLICY_DEADLINE || m->runtime != default_slice())
		a.runtime = m->runtime;
	if (m->has_util_min && m->has_util_max) {
		bool plain = m->util_min == 0 && m->util_max == CLAMP_TOP;

		a.flags |= SCHED_CLAMP_MIN | SCHED_CLAMP_MAX;
		a.util_min = plain ? UINT32_MAX : m->util_min; /* all ones: the system's default */
		a.util_max = plain ? UINT32_MAX : m->util_max;
	}
	return a;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Sched *m = msg;
	struct sched_attributes a;

	if (at->stage != STAGE_CREDS)
		return 0;
	a = attributes_of(m);
	prog_where(p, "affinity");
	prog_accept(prog_call(p, SYS_sched_setaffinity, 0, m->affinity.len,
			      prog_in(p, m->affinity.data, m->affinity.len)),
		    EINVAL);
	prog_where(p, "io priority %#x", m->ioprio);
	prog_call(p, SYS_ioprio_set, 1, 0, m->ioprio);
	prog_where(p, "nice value %d", m->nice);
	prog_call(p, SYS_setpriority, 0, 0, m->nice);
	prog_where(p, "scheduling policy %u", m->policy);
	prog_call(p, SYS_sched_setattr, 0, prog_in(p, &a, sizeof(a)), 0);
	return 0;
}

const struct task_kind kind_sched = {
	"sched",      &sched__descriptor, SCOPE_THREAD,	  .outlives = true,
	.dump = dump, .plan = plan,	  .stage = stage,     .alike = true,
};
