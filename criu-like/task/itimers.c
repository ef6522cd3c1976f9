/*
 * The three interval timers of a process, in microseconds that are left. They are armed as the last
 * user-visible act. A real timer with an interval that is not running has expired and its SIGALRM
 * waits in the queue: it runs on from the interval. The two processor timers keep an interval while
 * disarmed.
 */
#include <inttypes.h>
#include <sys/time.h>

#include "base/err.h"
#include "core/kind.h"
#include "itimers.pb-c.h"
#include "kernel/own.h"

enum { TIMERS = 3, US = 1000000 };

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct itimerval *it = answers;

	(void)d, (void)t;
	for (int i = 0; i < TIMERS; i++)
		prog_call(p, SYS_getitimer, i, prog_out(p, &it[i], sizeof(it[i])));
	return 0;
}

static uint64_t us_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * US + (uint64_t)t.tv_usec;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct itimerval *it = answers;
	Itimers *m = msg;

	(void)t;
	m->n_timer = TIMERS;
	m->timer = arena_array(&d->arena, Itimers__Timer *, TIMERS);
	for (int i = 0; i < TIMERS; i++) {
		m->timer[i] = arena_new(&d->arena, Itimers__Timer);
		itimers__timer__init(m->timer[i]);
		m->timer[i]->value_us = us_of(it[i].it_value);
		m->timer[i]->interval_us = us_of(it[i].it_interval);
	}
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Itimers *m = msg;

	(void)r, (void)t;
	if (m->n_timer != TIMERS)
		return fail(-EPROTO, "%zu interval timers instead of 3", m->n_timer);
	for (size_t i = 0; i < TIMERS; i++)
		if (m->timer[i]->value_us > INT64_MAX || m->timer[i]->interval_us > INT64_MAX)
			return fail(-EPROTO, "interval timer %zu of %" PRIu64 " us", i,
				    m->timer[i]->value_us);
	return 0;
}

static struct timeval timeval_of(uint64_t us)
{
	return (struct timeval){ (time_t)(us / US), (suseconds_t)(us % US) };
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Itimers *m = msg;
	uint64_t tick;

	if (at->stage != STAGE_ARM)
		return 0;
	tick = own_tick_us();
	for (int i = 0; i < TIMERS; i++) {
		uint64_t value = m->timer[i]->value_us, interval = m->timer[i]->interval_us;
		struct itimerval it = { timeval_of(interval), timeval_of(value) };

		if (!value && i == ITIMER_REAL)
			it.it_value = it.it_interval;
		else if (i != ITIMER_REAL && value > tick)
			it.it_value = timeval_of(value - tick);
		prog_where(p, "interval timer %d", i);
		prog_call(p, SYS_setitimer, i, prog_in(p, &it, sizeof(it)), 0);
	}
	return 0;
}

static bool counts(const void *msg)
{
	const Itimers *m = msg;

	for (int i = 0; i < TIMERS; i++)
		if (m->timer[i]->value_us || m->timer[i]->interval_us)
			return true;
	return false;
}

const struct task_kind kind_itimers = {
	"itimers",    &itimers__descriptor,
	SCOPE_TASK,   .answer_bytes = sizeof(struct itimerval[TIMERS]),
	.ask = ask,   .dump = dump,
	.plan = plan, .stage = stage,
	.counts = counts,
};
