/*
 * Waiting for single threads, bounded in time, and moving next to them: a wake-up across cpus of a
 * virtual machine costs 50 to 90 us, on the same one 5. The tracer moves, never the target. It
 * yields a few times before it sleeps: on the same cpu that is when the target runs, and on another
 * one it keeps our cpu from going idle, which costs one of the two wake-ups.
 */
#include "core/stop/stopped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/time.h"
#include "kernel/proc-stat.h"
#include "kernel/proc-status.h"
#include "kernel/status-ahead.h"
#include "kernel/sys.h"

enum { YIELDS = 12 }; /* each one hands a slice to whoever else wants the cpu */
enum { SLICE_NS = 20000000 }; /* SIGCHLD may have been eaten by somebody else: ask again then */

/*
 * A question that fails is asked again: giving up here would lose a target that runs our code. The
 * stop of an exec is taken: when another thread than the leader made it, the kernel refuses every
 * request with ESRCH until somebody has heard of the new number (5.13+). No signal is lost by it.
 */
static int look(pid_t tid, struct trace_stop *ret)
{
	int r = trace_look(tid, ret);

	r = r < 0 && r != -ECHILD ? trace_look(tid, ret) : r;
	if (r >= 0 && ret->what == TRACE_STOPPED && ret->event == TRACE_EVENT_EXEC)
		(void)trace_swallow(tid); /* killed meanwhile: the next question tells */
	return r;
}

int stopped_wait(pid_t tid, uint64_t until_ns, struct trace_stop *ret)
{
	for (int i = 0; i < YIELDS; i++) {
		int r = look(tid, ret);

		if (r < 0 || ret->what != TRACE_NOTHING)
			return r;
		(void)sys(SYS_sched_yield); /* always succeeds */
	}
	for (;;) {
		int r = look(tid, ret);
		uint64_t now;

		if (r < 0 || ret->what != TRACE_NOTHING)
			return r;
		now = time_now_ns();
		if (now >= until_ns)
			return -ETIMEDOUT;
		(void)trace_wait_any(until_ns - now < SLICE_NS ? until_ns - now
							       : SLICE_NS); /* a pause */
	}
}

void stopped_follow(struct victim_tree *vt, int cpu)
{
	uint64_t one[128] = { 0 };

	if (cpu == vt->cpu || cpu >= (int)sizeof(one) * 8)
		return;
	if (vt->cpu < 0)
		vt->affinity_len =
			(int)sys(SYS_sched_getaffinity, 0, sizeof(vt->affinity), vt->affinity);
	if (vt->affinity_len <= 0)
		return;
	vt->cpu = cpu;
	if (cpu < 0) {
		(void)sys(SYS_sched_setaffinity, 0, vt->affinity_len,
			  vt->affinity); /* only speed */
		return;
	}
	one[cpu / 64] = 1ULL << (cpu % 64);
	(void)sys(SYS_sched_setaffinity, 0, sizeof(one),
		  one); /* outside our cpuset: stay where we are */
}

struct victim_thread *stopped_find(const struct victim_tree *vt, pid_t tid)
{
	return map_get(&vt->by_tid, (uint64_t)tid, 0);
}

int stopped_look(struct dump *d, struct victim_thread *v)
{
	struct proc_status *s;
	struct span text;
	char path[40];
	int r;

	if (v->status)
		return 0;
	(void)snprintf(path, sizeof(path), "task/%d/status", v->tid); /* always fits */
	r = status_ahead_take(d->statuses, v->ahead, &text)
		    ? 0
		    : io_slurp_record(&d->arena, v->task->proc_fd, path, &text);
	if (r < 0)
		return r;
	s = arena_new(&d->arena, struct proc_status);
	r = text.len ? proc_status_parse(&d->arena, text, s) : -ESRCH;
	v->status = r < 0 ? NULL : s;
	return r;
}

int stopped_status(struct dump *d, struct victim_thread *v, const struct proc_status **ret)
{
	int r = stopped_look(d, v);

	if (r < 0)
		return fail(r, "task %d: status of thread %d", v->task->pid, v->tid);
	*ret = v->status;
	return 0;
}

int stopped_parse_status(struct dump *d, const struct task *t, pid_t tid, struct proc_status *ret)
{
	struct span text;
	int r = io_slurp_record(&d->arena, t->proc_fd,
				arena_printf(&d->arena, "task/%d/status", tid), &text);

	return r < 0 ? r : proc_status_parse(&d->arena, text, ret);
}

int stopped_parse_stat(struct dump *d, const struct task *t, pid_t tid, struct proc_stat *ret)
{
	struct span text;
	const char *path = tid ? arena_printf(&d->arena, "task/%d/stat", tid) : "stat";
	int r = io_slurp_record(&d->arena, t->proc_fd, path, &text);

	return r < 0 ? r : proc_stat_parse(text, ret);
}
