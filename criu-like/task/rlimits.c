/*
 * Resource limits, asked inside, where the kernel refuses nobody (prlimit on another user's task
 * needs CAP_SYS_RESOURCE). Set late, because current use may be above them, and before privileges
 * are gone. A hard limit can be raised with CAP_SYS_RESOURCE only: without it, one above the tool's
 * own is refused while planning.
 */
#include <linux/capability.h>
#include <sys/resource.h>

#include "base/err.h"
#include "core/kind.h"
#include "kernel/own.h"
#include "rlimits.pb-c.h"

static const char *const names[RLIM_NLIMITS] = {
	"CPU",	   "FSIZE", "DATA",  "STACK",	   "CORE",     "RSS",  "NPROC",	 "NOFILE",
	"MEMLOCK", "AS",    "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
};

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct prog_arg all = prog_out(p, answers, sizeof(struct rlimit[RLIM_NLIMITS]));

	(void)d, (void)t;
	for (uint32_t i = 0; i < RLIM_NLIMITS; i++)
		prog_call(p, SYS_prlimit64, 0, i, 0, prog_inside(all, i * sizeof(struct rlimit)));
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct rlimit *from = answers;
	Rlimits *m = msg;

	(void)t;
	m->n_limit = RLIM_NLIMITS;
	m->limit = arena_array(&d->arena, Rlimits__Limit *, RLIM_NLIMITS);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		m->limit[i] = arena_new(&d->arena, Rlimits__Limit);
		rlimits__limit__init(m->limit[i]);
		m->limit[i]->soft = from[i].rlim_cur;
		m->limit[i]->hard = from[i].rlim_max;
	}
	return 0;
}

static int plan_limit(struct restore *r, const struct thread *t, int i, const Rlimits__Limit *m)
{
	struct rlimit own;
	int n = own_limit(i, &own);

	if (m->soft > m->hard)
		return fail(-EPROTO, "soft limit %s above the hard one", names[i]);
	if (n)
		return fail(n, "ask for the limit %s", names[i]);
	if (m->hard <= own.rlim_max || own_capable(CAP_SYS_RESOURCE))
		return 0;
	return refuse(&r->blockers, t->tid, arena_printf(&r->arena, "hard limit %s", names[i]),
		      "it is above the tool's own and CAP_SYS_RESOURCE is missing",
		      "run the restore with a higher limit");
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Rlimits *m = msg;
	int n = 0;

	if (m->n_limit != RLIM_NLIMITS)
		return fail(-EPROTO, "%zu resource limits instead of 16", m->n_limit);
	for (int i = 0; i < RLIM_NLIMITS && (!n || n == -ENOTSUP); i++)
		n = plan_limit(r, t, i, m->limit[i]);
	return n;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Rlimits *m = msg;

	for (int i = 0; i < RLIM_NLIMITS && at->stage == STAGE_CREDS; i++) {
		struct rlimit v = { m->limit[i]->soft, m->limit[i]->hard };

		prog_where(p, "resource limit %s", names[i]);
		prog_call(p, SYS_prlimit64, 0, i, prog_in(p, &v, sizeof(v)), 0);
	}
	return 0;
}

const struct task_kind kind_rlimits = {
	"rlimits",    &rlimits__descriptor,
	SCOPE_TASK,   .answer_bytes = sizeof(struct rlimit[RLIM_NLIMITS]),
	.ask = ask,   .dump = dump,
	.plan = plan, .stage = stage,
	.alike = true,
};
