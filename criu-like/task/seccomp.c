/*
 * Seccomp mode and filters of a thread, told by ptrace (oldest filter first). They are installed
 * while the coordinator, tracing every thread, suspends seccomp, and while the thread may still
 * install filters without no_new_privs. What all threads of a process have in common, the leader
 * installs for all (TSYNC), so that they share the same kernel objects and a later TSYNC of the
 * program succeeds; threads with more wait for that and add the rest.
 *
 * SPEC_ALLOW is always passed: the speculation controls are restored by themselves. Not told by the
 * kernel: filters with a listener (their descriptor is refused), filters that only some threads or
 * two processes share (each gets copies).
 */
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "core/build/area.h"
#include "core/task-kinds.h"
#include "kernel/own.h"
#include "kernel/proc-status.h"
#include "kernel/ptrace-inquiry.h"
#include "seccomp.pb-c.h"

enum { INSTRUCTION_BYTES = 8, INSTRUCTIONS_MAX = 4096, NO_FILTERS = 0 };
extern const struct task_kind kind_seccomp;

struct memo {
	uint32_t *shared;  /* by task: how many filters all its threads begin with */
	uint32_t n_leader; /* leaders that will install such filters */
};
struct fprog {
	uint16_t n;
	uint64_t instructions;
};

/* --- dump --- */

static int read_filter(struct dump *d, const struct thread *t, uint32_t i, Seccomp__Filter **ret)
{
	char code[INSTRUCTIONS_MAX * INSTRUCTION_BYTES];
	Seccomp__Filter *f;
	uint64_t flags = 0;
	int n = trace_seccomp_filter(t->tid, i, code);

	if (n == -ENOENT)
		return n;
	if (n >= 0)
		n = trace_seccomp_flags(t->tid, i, &flags) ?: n;
	if (n == -EMEDIUMTYPE)
		return refuse(&d->blockers, t->tid, "seccomp filter", "its program is not kept",
			      NULL);
	if (n == -EACCES || n == -EPERM)
		return refuse(&d->blockers, t->tid, "seccomp filter", "reading it is not permitted",
			      "run the tool with CAP_SYS_ADMIN and without seccomp");
	if (n < 0)
		return fail(n, "read seccomp filter %u of thread %d", i, t->tid);
	f = arena_new(&d->arena, Seccomp__Filter);
	seccomp__filter__init(f);
	f->instructions.len = (size_t)n * INSTRUCTION_BYTES;
	f->instructions.data = arena_memdup(&d->arena, code, f->instructions.len);
	f->flags = flags;
	*ret = f;
	return 0;
}

static bool filter_equal(const Seccomp__Filter *a, const Seccomp__Filter *b)
{
	return a->flags == b->flags && a->instructions.len == b->instructions.len &&
	       !memcmp(a->instructions.data, b->instructions.data, a->instructions.len);
}

static uint32_t common(const Seccomp *a, const Seccomp *b)
{
	uint32_t n = 0;

	if (a == b)
		return (uint32_t)a->n_filter;
	while (n < a->n_filter && n < b->n_filter && filter_equal(a->filter[n], b->filter[n]))
		n++;
	return n;
}

static void refer_to_leader(struct dump *d, const struct thread *t, Seccomp *m)
{
	const struct thread *leader = task_main(t->task);
	const Seccomp *l = task_kinds_record(d->task_records, &kind_seccomp, leader->index);

	if (!l || l->n_filter != m->n_filter || common(l, m) != m->n_filter)
		return;
	m->n_filter = NO_FILTERS;
	m->has_like = true;
	m->like = leader->index;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	VEC(Seccomp__Filter *) filters = { 0 };
	Seccomp__Filter *f;
	Seccomp *m = msg;
	int r = 0;

	(void)answers;
	m->mode = t->status->seccomp;
	if (m->mode != SECCOMP_MODE_FILTER)
		return m->mode ? 0 : KIND_NOTHING;
	while (!(r = read_filter(d, t, (uint32_t)filters.n, &f)))
		*vec_push(&d->arena, &filters) = f;
	if (r != -ENOENT)
		return r;
	m->filter = filters.v;
	m->n_filter = filters.n;
	if (t->status->seccomp_filters && t->status->seccomp_filters != m->n_filter)
		return fail(-EPROTO, "thread %d has %u seccomp filters, %zu were told", t->tid,
			    t->status->seccomp_filters, m->n_filter);
	refer_to_leader(d, t, m);
	return 0;
}

/* --- restore --- */

static const Seccomp *filters_of(const struct restore *r, const struct thread *t)
{
	const Seccomp *m = task_kinds_record(r->task_records, &kind_seccomp, t->index);

	return m && m->has_like ? task_kinds_record(r->task_records, &kind_seccomp, m->like) : m;
}

static int check(const struct restore *r, const struct thread *t, const Seccomp *m)
{
	const Seccomp *as = filters_of(r, t);

	if (m->mode > SECCOMP_MODE_FILTER || !as || as->has_like || as->mode != m->mode ||
	    (m->has_like && r->tree.thread.v[m->like]->task != t->task))
		return fail(-EPROTO, "seccomp mode %u of thread %d", m->mode, t->tid);
	if ((as->n_filter != 0) != (m->mode == SECCOMP_MODE_FILTER))
		return fail(-EPROTO, "%zu seccomp filters in mode %u", as->n_filter, m->mode);
	for (size_t i = 0; i < m->n_filter; i++) {
		size_t len = m->filter[i]->instructions.len;

		if (!len || len % INSTRUCTION_BYTES || len > INSTRUCTIONS_MAX * INSTRUCTION_BYTES ||
		    m->filter[i]->flags & ~(uint64_t)SECCOMP_FILTER_FLAG_LOG)
			return fail(-EPROTO, "seccomp filter of %zu bytes", len);
	}
	return 0;
}

static struct memo *memo_of(struct restore *r)
{
	struct memo *memo = task_kinds_memo(r, &kind_seccomp, sizeof(*memo));

	if (!memo->shared)
		memo->shared = arena_array(&r->arena, uint32_t, r->tree.task.n);
	return memo;
}

/* How many filters all live threads of the process begin with; 0 for a single thread. */
static uint32_t shared_filters(const struct restore *r, const struct thread *leader)
{
	const Seccomp *first = filters_of(r, leader);
	size_t n = first->n_filter, live = 0;

	vec_foreach(t, &leader->task->thread) {
		const Seccomp *m = (*t)->dead ? first : filters_of(r, *t);
		size_t same = m ? common(first, m) : 0;

		live += !(*t)->dead;
		n = same < n ? same : n;
	}
	return live > 1 ? (uint32_t)n : 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Seccomp *m = msg;
	int n = check(r, t, m);

	if (n)
		return n;
	if (m->mode && !own_capable(CAP_SYS_ADMIN))
		return refuse(&r->blockers, t->tid, "seccomp", "the tool may not suspend it",
			      "run it with CAP_SYS_ADMIN");
	if (t == task_main(t->task))
		memo_of(r)->shared[t->task->index] = shared_filters(r, t);
	memo_of(r)->n_leader += memo_of(r)->shared[t->task->index] && t == task_main(t->task);
	return 0;
}

static void install(struct prog *p, const Seccomp__Filter *f, uint64_t how)
{
	struct fprog head = { (uint16_t)(f->instructions.len / INSTRUCTION_BYTES), 0 };
	struct prog_arg in = prog_in(p, &head, sizeof(head));
	struct prog_arg code = prog_in(p, f->instructions.data, f->instructions.len);
	uint64_t flags = f->flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW | how;

	prog_point(p, in, offsetof(struct fprog, instructions), code, 0);
	prog_equals(prog_call(p, SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, in), 0);
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	bool leader = at->thread == task_main(at->task);
	const Seccomp *m = filters_of(at->r, at->thread);
	struct memo *memo = memo_of(at->r);
	uint32_t shared = memo->shared[at->task->index];

	(void)msg;
	if (at->stage != STAGE_CREDS)
		return 0;
	if (m->mode == SECCOMP_MODE_STRICT)
		prog_call(p, SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	prog_where(p, "seccomp filters for all threads");
	for (uint32_t i = 0; leader && i < shared; i++)
		install(p, m->filter[i],
			SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	if (leader && shared)
		prog_pass(p, WORD_SECCOMP);
	if (!leader && shared && m->n_filter > shared)
		prog_wait(p, WORD_SECCOMP, memo->n_leader);
	prog_where(p, "seccomp filters");
	for (uint32_t i = shared; i < m->n_filter; i++)
		install(p, m->filter[i], 0);
	return 0;
}

const struct task_kind kind_seccomp = {
	"seccomp",    &seccomp__descriptor, SCOPE_THREAD,   .optional = true,
	.dump = dump, .plan = plan,	    .stage = stage,
};
