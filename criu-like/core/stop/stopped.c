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
#include "kernel/sys.h"

enum { YIELDS = 12 }; /* each one hands a slice to whoever else wants the cpu */
enum { SLICE_NS = 20000000 }; /* SIGCHLD may have been eaten by somebody else: ask again then */

/* A question that fails is asked again: giving up here would lose a target that runs our code. */
static int look(pid_t tid, struct trace_stop *ret)
{
	int r = trace_look(tid, ret);

	return r < 0 && r != -ECHILD ? trace_look(tid, ret) : r;
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

int stopped_status(struct dump *d, struct victim_thread *v, const struct proc_status **ret)
{
	char buf[4096], path[40];
	struct proc_status *s;
	_close_ int fd = -1;
	long n;

	if (v->status) {
		*ret = v->status;
		return 0;
	}
	(void)snprintf(path, sizeof(path), "task/%d/status", v->tid); /* always fits */
	fd = (int)sys(SYS_openat, v->task->proc_fd, path, O_RDONLY | O_CLOEXEC, 0);
	n = fd < 0 ? fd : sys(SYS_read, fd, buf, sizeof(buf));
	if (n <= 0)
		return fail(n ? n : -ESRCH, "task %d: status of thread %d", v->task->pid, v->tid);
	s = arena_new(&d->arena, struct proc_status);
	n = proc_status_parse(
		&d->arena, (struct span){ arena_memdup(&d->arena, buf, (size_t)n), (size_t)n }, s);
	if (n < 0)
		return fail(n, "task %d: status of thread %d is not understood", v->task->pid,
			    v->tid);
	*ret = v->status = s;
	return 0;
}

int stopped_parse_status(struct dump *d, const struct task *t, pid_t tid, struct proc_status *ret)
{
	struct span text;
	int r = io_slurp_at(&d->arena, t->proc_fd, arena_printf(&d->arena, "task/%d/status", tid),
			    &text);

	return r < 0 ? r : proc_status_parse(&d->arena, text, ret);
}

int stopped_parse_stat(struct dump *d, const struct task *t, pid_t tid, struct proc_stat *ret)
{
	struct span text;
	const char *path = tid ? arena_printf(&d->arena, "task/%d/stat", tid) : "stat";
	int r = io_slurp_at(&d->arena, t->proc_fd, path, &text);

	return r < 0 ? r : proc_stat_parse(text, ret);
}
