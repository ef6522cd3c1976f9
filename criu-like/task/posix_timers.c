/*
 * POSIX timers. /proc/PID/timers tells their shape, the process itself what is left
 * (timer_gettime). Ids are part of the interface: since 6.15 timer_create takes a wanted one
 * (PR_TIMER_CREATE_RESTORE_IDS); before, ids count up from 0 in a new process, so unwanted ones are
 * created and deleted. Timers are created when all threads exist (SIGEV_THREAD_ID) and armed last.
 *
 * Limits: an absolute timer comes back with what was left; the overrun count of the last delivery
 * has no setter; which thread a CLOCK_THREAD_CPUTIME_ID timer measures is not told (its target
 * thread, or the leader, is taken).
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "core/kind.h"
#include "kernel/own.h"
#include "kernel/proc-timers.h"
#include "kernel/proc.h"
#include "posix_timers.pb-c.h"

enum { TIMER_IDS = 77, TIMER_IDS_OFF = 0, TIMER_IDS_ON = 1, THREAD_CLOCK_BITS = 6 };
#define SECOND_NS 1000000000u

struct answer {
	struct proc_timer shape;
	struct itimerspec left;
	int64_t overrun;
};
struct answers {
	VEC(struct answer) timer;
};
struct event { /* struct sigevent as the kernel sees it */
	uint64_t value;
	int32_t signal, notify, thread;
	char pad[44];
};

static int compare(const void *a, const void *b)
{
	int32_t x = ((const struct answer *)a)->shape.id, y = ((const struct answer *)b)->shape.id;

	return (x > y) - (x < y);
}

static int list(struct dump *d, const struct task *t, struct answers *ret)
{
	struct proc_dir proc = { t->proc_fd, t->pid };
	struct proc_timer shape;
	struct span text;
	int r = proc_read(&d->arena, &proc, "timers", &text);

	if (r < 0)
		return fail(r, "read /proc/%d/timers", t->pid);
	while ((r = proc_timers_next(&text, &shape)) > 0)
		vec_push(&d->arena, &ret->timer)->shape = shape;
	if (r < 0)
		return fail(r, "/proc/%d/timers is not as expected", t->pid);
	vec_sort(&ret->timer, compare);
	return 0;
}

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct answers *a = answers;
	int r = list(d, t->task, a);

	if (r)
		return r;
	vec_foreach(it, &a->timer) {
		prog_call(p, SYS_timer_gettime, it->shape.id,
			  prog_out(p, &it->left, sizeof(it->left)));
		prog_call(p, SYS_timer_getoverrun, it->shape.id);
		prog_result(p, &it->overrun);
	}
	return 0;
}

static uint64_t ns_of(struct timespec t)
{
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static int dump_timer(struct dump *d, const struct thread *t, const struct answer *from,
		      PosixTimers__Timer *to)
{
	const struct thread *target = tree_find_thread(&d->tree, from->shape.target);

	to->id = from->shape.id;
	to->clock = from->shape.clock;
	to->signal = from->shape.signo;
	to->notify = from->shape.notify;
	to->value = from->shape.value;
	to->left_ns = ns_of(from->left.it_value);
	to->interval_ns = ns_of(from->left.it_interval);
	to->overrun = from->overrun;
	if (!(to->notify & SIGEV_THREAD_ID))
		return 0;
	if (!target || target->task != t->task)
		return refuse(&d->blockers, t->tid, arena_printf(&d->arena, "timer %d", to->id),
			      "it notifies a thread that is gone", "delete the timer");
	to->has_target_thread = true;
	to->target_thread = target->index;
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct answers *a = answers;
	PosixTimers *m = msg;
	int r = 0;

	if (!a->timer.n)
		return KIND_NOTHING;
	m->timer = arena_array(&d->arena, PosixTimers__Timer *, a->timer.n);
	for (; m->n_timer < a->timer.n && !r; m->n_timer++) {
		m->timer[m->n_timer] = arena_new(&d->arena, PosixTimers__Timer);
		posix_timers__timer__init(m->timer[m->n_timer]);
		r = dump_timer(d, t, &a->timer.v[m->n_timer], m->timer[m->n_timer]);
	}
	return r;
}

static int check_timer(const struct restore *r, const struct thread *t, const PosixTimers__Timer *m)
{
	bool to_thread = m->notify & SIGEV_THREAD_ID;
	int32_t how = m->notify & ~SIGEV_THREAD_ID;

	if (how != SIGEV_SIGNAL && how != SIGEV_NONE && how != SIGEV_THREAD)
		return fail(-EPROTO, "timer %d notifies by %d", m->id, m->notify);
	if (how != SIGEV_NONE && (m->signal < 1 || m->signal > 64))
		return fail(-EPROTO, "timer %d sends signal %d", m->id, m->signal);
	if (to_thread != !!m->has_target_thread ||
	    (to_thread && (m->target_thread >= r->tree.thread.n ||
			   r->tree.thread.v[m->target_thread]->task != t->task)))
		return fail(-EPROTO, "timer %d notifies no thread of its process", m->id);
	if (m->left_ns > INT64_MAX || m->interval_ns > INT64_MAX)
		return fail(-EPROTO, "timer %d runs %" PRIu64 " ns", m->id, m->left_ns);
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const PosixTimers *m = msg;
	int n = 0;

	for (size_t i = 0; i < m->n_timer && !n; i++) {
		if (m->timer[i]->id < 0 || (i && m->timer[i]->id <= m->timer[i - 1]->id))
			return fail(-EPROTO, "timer ids are not ascending at %d", m->timer[i]->id);
		n = check_timer(r, t, m->timer[i]);
	}
	return n;
}

static int clock_of(const struct stage_at *at, const PosixTimers__Timer *m)
{
	pid_t tid;

	if (m->clock != CLOCK_THREAD_CPUTIME_ID || !m->has_target_thread)
		return m->clock;
	tid = at->r->tree.thread.v[m->target_thread]->tid;
	return tid == at->task->pid ? m->clock : (int)((~(uint32_t)tid << 3) | THREAD_CLOCK_BITS);
}

static void create(struct prog *p, const struct stage_at *at, const PosixTimers__Timer *m)
{
	struct prog_arg id = prog_in(p, &m->id, sizeof(m->id));
	struct event e = { m->value, m->signal, m->notify, 0, "" };

	if (m->has_target_thread)
		e.thread = at->r->tree.thread.v[m->target_thread]->tid;
	prog_call(p, SYS_timer_create, clock_of(at, m), prog_in(p, &e, sizeof(e)), id);
	prog_check(p, prog_word(id), m->id, EBUSY);
}

/* Uses up the ids from `first` to `last`. */
static void skip_ids(struct prog *p, int32_t first, int32_t last)
{
	struct event e = { .notify = SIGEV_NONE };
	struct prog_arg id = prog_room(p, sizeof(int32_t));

	prog_call(p, SYS_timer_create, CLOCK_MONOTONIC, prog_in(p, &e, sizeof(e)), id);
	prog_call(p, SYS_timer_delete, prog_word(id));
	prog_loop(p, 2, prog_word(id), last, (uint32_t)(last - first));
}

static void create_all(struct prog *p, const struct stage_at *at, const PosixTimers *m)
{
	bool choose = own_timer_ids();
	int32_t next = 0;

	if (choose)
		prog_call(p, SYS_prctl, TIMER_IDS, TIMER_IDS_ON, 0, 0, 0);
	for (size_t i = 0; i < m->n_timer; i++) {
		prog_where(p, "timer %d", m->timer[i]->id);
		if (!choose && m->timer[i]->id > next)
			skip_ids(p, next, m->timer[i]->id - 1);
		create(p, at, m->timer[i]);
		next = m->timer[i]->id + 1;
	}
	if (choose)
		prog_call(p, SYS_prctl, TIMER_IDS, TIMER_IDS_OFF, 0, 0, 0);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / SECOND_NS), (long)(ns % SECOND_NS) };
}

/* Without anything left but an interval the timer is at the instant of its expiry. */
static void arm(struct prog *p, const PosixTimers__Timer *m)
{
	struct itimerspec it = { timespec_of(m->interval_ns),
				 timespec_of(m->left_ns ? m->left_ns : m->interval_ns) };

	prog_where(p, "timer %d", m->id);
	prog_call(p, SYS_timer_settime, m->id, 0, prog_in(p, &it, sizeof(it)), 0);
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const PosixTimers *m = msg;

	if (at->stage == STAGE_SIGNALS && m->n_timer)
		create_all(p, at, m);
	for (size_t i = 0; i < m->n_timer && at->stage == STAGE_ARM; i++)
		arm(p, m->timer[i]);
	return 0;
}

static bool counts(const void *msg)
{
	return ((const PosixTimers *)msg)->n_timer;
}

const struct task_kind kind_posix_timers = {
	"posix_timers",
	&posix_timers__descriptor,
	SCOPE_TASK,
	.optional = true,
	.counts = counts,
	.answer_bytes = sizeof(struct answers),
	.ask = ask,
	.dump = dump,
	.plan = plan,
	.stage = stage,
};
