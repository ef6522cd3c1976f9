/*
 * Letting a stopped tree go: on with its work, stopped, or dead. Also the way back from every
 * failure, so nothing in here gives up early: each step is tried for each thread, and the first
 * error is kept.
 *
 * Killed threads stay zombies of the tracer until it takes their status; for a leader the kernel
 * then turns to the real parent, and the number of the root is free only when that has reaped it.
 * So descendants come first, and the root is waited for, bounded.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "core/stop/inside.h"
#include "core/stop/stopped.h"
#include "core/stop/victim.h"
#include "kernel/proc-stat.h"
#include "kernel/sys.h"

enum { REAP_TIMEOUT_S = 10, STRAGGLER_NS = 500000000, STEP_NS = 2000000, REAP_STEP_NS = 50000 };

static int first(int a, int b)
{
	return a < 0 ? a : b;
}

static int withdraw_all(struct dump *d)
{
	int r = 0;

	vec_foreach(t, &d->tree.task)
		if (d->victims->mm && d->victims->mm[(*t)->index])
			r = first(r, victim_withdraw(d, *t));
	return r;
}

/* A thread that was attached but never came to its stop: after a failure to freeze. */
static int catch_straggler(struct victim_thread *v)
{
	struct trace_stop s;
	int r = stopped_wait(v->tid, time_now_ns() + STRAGGLER_NS, &s);

	if (r == -ECHILD || (r >= 0 && s.what == TRACE_EXITED)) {
		v->gone = true;
		return 0;
	}
	if (r == -ETIMEDOUT)
		log_warn("task %d: thread %d stays attached until the tool ends", v->task->pid,
			 v->tid);
	v->pass_on = r < 0 || s.event ? 0 : s.sig;
	return r;
}

static int let_go(struct victim_thread *v)
{
	int r = v->stopped ? 0 : catch_straggler(v), e;

	if (v->gone || r < 0)
		return r;
	if (v->away)
		r = inside_go_home(v);
	if (v->away)
		r = inside_go_home(v);
	v->gone = true;
	e = trace_detach(v->tid, v->pass_on);
	if (e < 0 && e != -ESRCH) /* else killed meanwhile */
		e = fail(e, "let thread %d go", v->tid);
	return r == -ESRCH ? 0 : first(r, e == -ESRCH ? 0 : e);
}

/* Children that the kernel attached for us and nobody has listed: a freeze that failed half way. */
static void let_strays_go(struct victim_tree *vt)
{
	for (size_t i = 0; i < vt->thread.n + 64; i++) {
		int tid = trace_any_stopped();

		if (tid < 0 || trace_detach(tid, 0) < 0)
			return;
	}
}

static int stop_all(struct dump *d)
{
	int r = 0;

	vec_foreach(t, &d->tree.task)
		if ((*t)->state != TASK_ZOMBIE && !(*t)->stop_signal)
			r = first(r, (int)sys(SYS_kill, (*t)->pid, SIGSTOP));
	return r < 0 ? fail(r, "stop the tree") : 0;
}

static int resume(struct dump *d, bool complete)
{
	struct victim_tree *vt = d->victims;
	int r = withdraw_all(d);

	r = r < 0 ? withdraw_all(d)
		  : r; /* each step can be taken twice; the rest must not stay inside */
	vec_foreach(v, &vt->thread)
		if (!(*v)->gone)
			r = first(r, let_go(*v));
	if (!complete)
		let_strays_go(vt);
	return r;
}

static void reap(struct victim_thread *v, uint64_t until)
{
	struct trace_stop s = { 0 };

	while (!v->gone && stopped_wait(v->tid, until, &s) >= 0) {
		if (s.what == TRACE_EXITED) {
			(void)trace_reap(
				v->tid); /* ours now; a leader goes on to its real parent */
			v->gone = true;
			return;
		}
		if (trace_wait_any(STEP_NS) < 0) /* still in its stop: SIGKILL wakes it */
			return;
	}
	v->gone = true;
}

static void reap_task(struct dump *d, const struct task *t, uint64_t until)
{
	struct victim_thread *leader = stopped_find(d->victims, t->pid);

	vec_foreach(th, &t->thread)
		if ((*th)->victim && (*th)->victim != leader)
			reap((*th)->victim, until);
	if (leader)
		reap(leader, until);
}

static int must_reap(struct dump *d, const struct task *root)
{
	struct span text;
	struct proc_stat s = { 0 };

	if (io_slurp_at(&d->arena, root->proc_fd, "stat", &text) >= 0)
		(void)proc_stat_parse(text, &s); /* only for the message */
	return fail(-ETIMEDOUT, "task %d was killed, but its parent %d has not reaped it",
		    root->pid, s.ppid);
}

/* A pidfd tells of the death (and goes on telling), not of the reaping: that is asked for. */
static int wait_until_reaped(const struct task *t, uint64_t until)
{
	struct timespec step = { 0, REAP_STEP_NS };

	while (t->pidfd >= 0 && sys(SYS_pidfd_send_signal, t->pidfd, 0, 0, 0) != -ESRCH) {
		if (time_now_ns() >= until)
			return -ETIMEDOUT;
		(void)sys(SYS_ppoll, NULL, 0, &step, 0, 0); /* only a pause */
		step.tv_nsec *= step.tv_nsec < STEP_NS ? 2 : 1;
	}
	return 0;
}

/* A restore needs all the numbers; descendants go to an init or subreaper with its own pace. */
static int wait_until_all_reaped(struct dump *d)
{
	uint64_t until = time_now_ns() + REAP_TIMEOUT_S * 1000000000ULL;

	if (wait_until_reaped(d->tree.task.v[0], until))
		return must_reap(d, d->tree.task.v[0]);
	for (size_t i = 1; i < d->tree.task.n; i++)
		if (wait_until_reaped(d->tree.task.v[i], until)) {
			log_warn("task %d is dead, but the init or subreaper that got it has not "
				 "reaped it",
				 d->tree.task.v[i]->pid);
			break;
		}
	return 0;
}

/* The order stands: what one way refuses is tried the other way. Its number is its own while we
 * trace it. */
static int kill_task(const struct task *t)
{
	int r = (int)sys(SYS_pidfd_send_signal, t->pidfd, SIGKILL, 0, 0);

	if (r < 0 && r != -ESRCH)
		r = (int)sys(SYS_kill, t->pid, SIGKILL);
	return r == -ESRCH ? 0 : r;
}

static int kill_all(struct dump *d)
{
	uint64_t until = time_now_ns() + REAP_TIMEOUT_S * 1000000000ULL;
	int r = 0;

	vec_foreach(t, &d->tree.task)
		if ((*t)->state != TASK_ZOMBIE)
			r = first(r, kill_task(*t));
	if (r < 0)
		return fail(r, "kill the tree");
	for (size_t i = d->tree.task.n; i-- > 0;)
		reap_task(d, d->tree.task.v[i], until);
	return wait_until_all_reaped(d);
}

static void close_all(struct dump *d)
{
	struct victim_tree *vt = d->victims;

	for (size_t i = 0; vt->mm && i < d->tree.task.n; i++)
		if (vt->mm[i])
			(void)sys(SYS_close, vt->mm[i]->mem_fd); /* holds no data */
	vec_foreach(t, &vt->task) {
		(void)sys(SYS_close, (*t)->task->proc_fd); /* as above */
		if ((*t)->task->pidfd >= 0)
			(void)sys(SYS_close, (*t)->task->pidfd); /* as above */
		(*t)->task->proc_fd = (*t)->task->pidfd = -1;
	}
}

int victim_release(struct dump *d, enum victim_end end)
{
	struct fault_place before = fault_enter(FAULT_VICTIM, -1);
	struct victim_tree *vt = d->victims;
	int r = 0;

	if (!vt)
		return 0;
	if (end == VICTIM_STOP)
		r = stop_all(d);
	r = first(r, end == VICTIM_KILL ? kill_all(d) : resume(d, vt->complete));
	stopped_follow(vt, -1);
	if (vt->waiting)
		r = first(r, trace_wait_end(vt->old_sigmask));
	close_all(d);
	d->victims = NULL;
	fault_leave(before);
	return r;
}
