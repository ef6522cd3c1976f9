/*
 * /proc/PID/timers: four lines for each POSIX timer.
 *
 *	ID: 2
 *	signal: 10/0000deadbeefcafe
 *	notify: signal/tid.4701
 *	ClockID: 1
 *
 * Remaining time, interval and overrun are not told; the process itself is asked for them. The file
 * exists with CONFIG_CHECKPOINT_RESTORE and CONFIG_POSIX_TIMERS. Lines between known ones are
 * ignored; all four must be there, in this order.
 */
#include "proc-timers.h"

#include <errno.h>
#include <signal.h>

#include "base/err.h"

static int parse_i32(struct span s, int32_t *ret)
{
	int64_t v;

	if (span_i64(s, 10, &v) || v < INT32_MIN || v > INT32_MAX)
		return -EINVAL;
	*ret = (int32_t)v;
	return 0;
}

/* "10/0000deadbeefcafe" */
static int parse_signal(struct span v, struct proc_timer *ret)
{
	struct span signo;

	if (!span_cut(&v, '/', &signo) || parse_i32(signo, &ret->signo))
		return -EINVAL;
	if (span_eq(v, "(null)"))
		return 0;
	if (span_starts(v, "0x"))
		v = (struct span){ v.p + 2, v.len - 2 };
	return span_u64(v, 16, &ret->value);
}

/* "signal/tid.4701" */
static int parse_notify(struct span v, struct proc_timer *ret)
{
	static const struct {
		const char *name;
		int32_t notify;
	} kinds[] = { { "signal", SIGEV_SIGNAL },
		      { "none", SIGEV_NONE },
		      { "thread", SIGEV_THREAD } };
	struct span kind, whom;
	size_t i = 0;

	if (!span_cut(&v, '/', &kind) || !span_cut(&v, '.', &whom) || parse_i32(v, &ret->target))
		return -EINVAL;
	while (i < array_size(kinds) && !span_eq(kind, kinds[i].name))
		i++;
	if (i == array_size(kinds) || (!span_eq(whom, "pid") && !span_eq(whom, "tid")))
		return -EINVAL;
	ret->notify = kinds[i].notify | (span_eq(whom, "tid") ? SIGEV_THREAD_ID : 0);
	return 0;
}

/* Cuts up to the line of that key; the next timer's ID ends the search. */
static bool cut_key(struct span *text, const char *key, struct span *ret)
{
	struct span line, other;

	while (span_line(text, &line)) {
		if (span_key(line, key, ret))
			return true;
		if (span_key(line, "ID", &other))
			return false;
	}
	return false;
}

int proc_timers_next(struct span *text, struct proc_timer *ret)
{
	struct proc_timer t = {};
	struct span rest = *text, v;

	if (!cut_key(&rest, "ID", &v))
		return 0;
	if (parse_i32(v, &t.id) || !cut_key(&rest, "signal", &v) || parse_signal(v, &t) ||
	    !cut_key(&rest, "notify", &v) || parse_notify(v, &t) ||
	    !cut_key(&rest, "ClockID", &v) || parse_i32(v, &t.clock))
		return -EINVAL;
	*text = rest;
	*ret = t;
	return 1;
}
