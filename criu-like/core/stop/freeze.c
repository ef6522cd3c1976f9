/*
 * Stopping a whole tree. Each thread is seized and interrupted, then waited for by its number.
 * Options set in the same call make the kernel attach to every thread and child that a seized one
 * makes, so nothing slips through between listing and stopping. Processes are taken level by level
 * from the root: a stopped parent makes no more children; what may still appear below it are
 * orphans and siblings made by its descendants, so lists are read again until a pass finds nothing
 * new.
 *
 * Stops that are not the wanted one (signals, clone and exec events) are passed on. A thread in
 * vfork cannot stop before its child lets it go: only that child runs meanwhile. Processes for
 * which an answer of the kernel waits go on until they have read it (netlink-wait.c); if they do
 * not, they may need another one of the tree, so all go on for a moment. Everything is bounded by
 * time; what cannot be stopped is refused with its kernel stack, and everything goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/time.h"
#include "core/stop/frozen-tree.h"
#include "core/stop/netlink-wait.h"
#include "core/stop/restart.h"
#include "core/stop/share.h"
#include "core/stop/stopped.h"
#include "core/stop/victim.h"
#include "kernel/proc-stat.h"
#include "kernel/proc-status.h"
#include "kernel/status-ahead.h"
#include "kernel/sys.h"
#include "kernel/task-list.h"

enum {
	OPTIONS = TRACE_SYSGOOD | TRACE_FORK | TRACE_VFORK | TRACE_CLONE | TRACE_EXEC,
	NOTE_XSTATE = 0x202,
	XSTATE_MAX = 16384,
	PATIENCE_NS =
		20000000, /* a thread that has not stopped by then is looked at more closely */
	DEFAULT_TIMEOUT_S = 10,
	CLONE3 = 435,
	FEW_THREADS = 64,
	AT_ONCE = 16,
	ATTEMPTS = 16,
	/* For answers of the kernel to be read: the others stopped; with all running between. */
	ANSWER_NS = 300000000,
	ANSWER_PAUSE_NS = 20000000,
	ANSWER_ALL_NS = 2000000000,
	PAUSE_NS = 60000,
	PAUSE_MAX_NS = 12000000,
};

/*
 * A thread that the kernel attached for us has its stop already, unless it is the child of a vfork
 * and was let run: that one must be interrupted like any other.
 */
static bool attached_in_stop(pid_t tid)
{
	struct trace_stop s;

	return !trace_look(tid, &s) && s.what == TRACE_STOPPED;
}

/* Why a thread cannot be seized. 0: it is attached already, or dead. */
static int explain_refusal(struct dump *d, struct victim_thread *v, int error)
{
	pid_t pid = v->task->pid;
	struct proc_status s;
	int r = stopped_parse_status(d, v->task, v->tid, &s);

	if (r < 0 || s.state == 'Z' || s.state == 'X') {
		v->gone = true;
		return 0;
	}
	if (s.tracer_pid == d->victims->self) {
		v->interrupted = attached_in_stop(v->tid);
		return 0;
	}
	if (s.tracer_pid)
		return refuse(&d->blockers, pid, "process",
			      arena_printf(&d->arena, "it is traced by task %d", s.tracer_pid),
			      "end the debugger first");
	if (s.kthread || !proc_status_has(&s, STATUS_VM_SIZE))
		return refuse(&d->blockers, pid, "process", "it is a kernel thread", NULL);
	for (int i = 0; i < ATTEMPTS && error == -EPERM; i++)
		error = trace_seize(v->tid, OPTIONS); /* it was a dead leader's number (exec) */
	v->gone = error == -ESRCH;
	if (error >= 0 || v->gone)
		return 0;
	return fail(error, "task %d: attach to thread %d", pid, v->tid);
}

static int seize(struct dump *d, struct victim_task *t, pid_t tid)
{
	struct victim_thread *v = arena_new(&d->arena, struct victim_thread);
	int r = trace_seize(tid, OPTIONS);

	*v = (struct victim_thread){ .tid = tid, .task = t->task, .cpu = -1 };
	*vec_push(&d->arena, &d->victims->thread) = v;
	*vec_push(&d->arena, &t->thread) = v;
	map_put(&d->victims->by_tid, (uint64_t)tid, 0, v);
	if (r == -ESRCH) {
		v->gone = true;
		return 0;
	}
	return r < 0 ? explain_refusal(d, v, r) : 0;
}

/* The parent in vfork waits for this child, which the kernel may have attached and stopped for us.
 */
static void let_vfork_child_run(struct dump *d, const struct victim_thread *v)
{
	struct pid_list child = { 0 };
	struct trace_stop stop;

	(void)task_list_children(&d->arena, v->task->proc_fd, v->tid,
				 &child); /* empty: nothing to do */
	vec_foreach(c, &child)
		if (!stopped_find(d->victims, *c) && !trace_look(*c, &stop) &&
		    stop.what == TRACE_STOPPED)
			(void)trace_cont(*c,
					 stop.event ? 0 : stop.sig); /* gone: the parent goes on */
}

static bool in_vfork(struct dump *d, const struct victim_thread *v)
{
	struct span text;
	const char *path = arena_printf(&d->arena, "task/%d/syscall", v->tid);
	int n = -1;

	if (io_slurp_at(&d->arena, v->task->proc_fd, path, &text) < 0 ||
	    sscanf(text.p, "%d", &n) != 1)
		return false;
	return n == SYS_clone || n == CLONE3
#ifdef SYS_vfork
	       || n == SYS_vfork
#endif
		;
}

static const char *proc_text(struct dump *d, const struct victim_thread *v, const char *file)
{
	struct span text;

	if (io_slurp_at(&d->arena, v->task->proc_fd,
			arena_printf(&d->arena, "task/%d/%s", v->tid, file), &text) < 0)
		return "?";
	return arena_strndup(&d->arena, text.p,
			     text.len && text.p[text.len - 1] == '\n' ? text.len - 1 : text.len);
}

static int refuse_unstoppable(struct dump *d, const struct victim_thread *v)
{
	const char *object = arena_printf(&d->arena, "thread %d", v->tid);

	if (in_vfork(d, v))
		return refuse(
			&d->blockers, v->task->pid, object,
			"it waits in vfork for a child that neither executes a program nor exits",
			"try again later");
	return refuse(&d->blockers, v->task->pid, object,
		      arena_printf(&d->arena, "it cannot be stopped; it waits in %s:\n%s",
				   proc_text(d, v, "wchan"), proc_text(d, v, "stack")),
		      "let it leave the uninterruptible wait");
}

/*
 * An exec waits for all other threads of its process to be gone, and those that are attached are
 * gone when we have taken their status.
 */
static void bury_threads(struct victim_task *t)
{
	struct trace_stop s;

	vec_foreach(v, &t->thread)
		if (!(*v)->gone && !trace_look((*v)->tid, &s) && s.what == TRACE_EXITED) {
			(*v)->gone = true;
			(void)trace_reap((*v)->tid); /* there it is */
		}
}

/* The thread has not stopped for a while: dead, in vfork, in an exec, or just busy. */
static int look_closer(struct dump *d, struct victim_thread *v)
{
	struct proc_stat s;

	if (stopped_parse_stat(d, v->task, v->tid, &s) < 0 || s.state == 'Z' || s.state == 'X') {
		v->gone = true;
		return 0;
	}
	if (in_vfork(d, v))
		let_vfork_child_run(d, v);
	bury_threads(map_get(&d->victims->by_pid, (uint64_t)v->task->pid, 0));
	return 0;
}

/* One report of a thread on its way to the stop. */
static int take_report(struct victim_thread *v, const struct trace_stop *s)
{
	int r;

	if (s->what == TRACE_EXITED) {
		v->gone = true;
		(void)trace_reap(v->tid); /* hands a leader on to its real parent; gone otherwise */
		return 0;
	}
	if (s->event == TRACE_EVENT_STOP) {
		v->stopped = true;
		v->group_stop = s->sig == SIGTRAP ? 0 : s->sig;
		return 0;
	}
	r = trace_interrupt(v->tid); /* any trap drops a request that came before it (6.18) */
	r = r < 0 ? r : trace_cont(v->tid, s->event ? 0 : s->sig);
	return r == -ESRCH ? 0 : r;
}

/* Whatever it does instead of stopping: not for ever. */
static int next_report(struct dump *d, struct victim_thread *v)
{
	struct trace_stop s;
	int r = stopped_wait(v->tid, time_now_ns() + PATIENCE_NS, &s);

	if (r == -ECHILD) {
		v->gone = true;
		return 0;
	}
	if (r == -ETIMEDOUT)
		r = look_closer(d, v);
	else
		r = r < 0 ? r : take_report(v, &s);
	if (r >= 0 && !v->stopped && !v->gone && time_now_ns() >= d->victims->deadline_ns)
		return refuse_unstoppable(d, v);
	return r < 0 ? fail(r, "task %d: stop thread %d", v->task->pid, v->tid) : 0;
}

static int await(struct dump *d, struct victim_thread *v)
{
	int r;

	do {
		for (v->stopped = false; !v->stopped && !v->gone;) {
			r = next_report(d, v);
			if (r < 0)
				return r;
		}
		v->status = NULL;
		v->ahead = 0;
		r = v->gone ? 0 : restart_repair(d, v);
	} while (r == -ESRCH && time_now_ns() < d->victims->deadline_ns); /* killed, or an exec */
	return r == -ESRCH ? fail(r, "task %d: registers of thread %d", v->task->pid, v->tid) : r;
}

/* Workers of io_uring are listed among the threads, but never run code of the program. */
static bool is_kernel_worker(struct dump *d, const struct victim_task *t, pid_t tid)
{
	const uint32_t io_worker = 0x10, user_worker = 0x4000; /* PF_x */
	struct proc_stat s;

	return d->rings && tid != t->task->pid && stopped_parse_stat(d, t->task, tid, &s) >= 0 &&
	       s.flags & (io_worker | user_worker);
}

/*
 * The threads of a process, as far as some may be unknown: those that are known are stopped, so
 * with as many of them as there are, there are no others. A single one is the leader.
 */
static int list_threads(struct dump *d, const struct victim_task *t, struct pid_list *ret)
{
	uint32_t n = 0, known = 0;
	int r = task_count_threads(t->task->proc_fd, &n);

	vec_foreach(v, &t->thread)
		known += !(*v)->gone;
	if (r >= 0 && known && n == known)
		return 0;
	if (r >= 0 && n == 1 && !t->thread.n) {
		*vec_push(&d->arena, ret) = t->task->pid;
		return 0;
	}
	return task_list_threads(&d->arena, t->task->proc_fd, ret);
}

static void interrupt(struct victim_thread *v)
{
	if (v->interrupted || v->gone)
		return;
	v->interrupted = true;
	v->gone = trace_interrupt(v->tid) == -ESRCH;
}

/*
 * A thread that executes a program ends all others and gets the number of the leader. When that
 * had stopped before, its number now stands for a thread that has not: attached if this one was,
 * else gone for us, and to be attached. 1: it was so.
 */
static int stop_leader_again(struct dump *d, const struct victim_task *t)
{
	struct victim_thread *v = stopped_find(d->victims, t->task->pid);
	struct trace_stop s = { 0 };

	if (!v || !v->stopped || v->gone ||
	    (trace_look(v->tid, &s) >= 0 && s.what == TRACE_STOPPED && s.event == TRACE_EVENT_STOP))
		return 0;
	v->interrupted = false;
	interrupt(v);
	return await(d, v) ?: 1;
}

/*
 * A number that was gone and is there again: 1. That of a dead thread cannot be attached; that of a
 * dead leader may have gone to a thread that is attached already.
 */
static int seize_again(struct dump *d, struct victim_thread *v)
{
	struct proc_status s;

	if (!v->gone)
		return 0;
	if (trace_seize(v->tid, OPTIONS) < 0 &&
	    (stopped_parse_status(d, v->task, v->tid, &s) < 0 || s.state == 'Z' ||
	     s.state == 'X' || s.tracer_pid != d->victims->self))
		return 0;
	v->gone = v->interrupted = false;
	interrupt(v);
	return await(d, v) ?: 1;
}

/* Attaches to threads that are not known yet; yields how many. */
static int seize_new(struct dump *d, struct victim_task *t)
{
	struct pid_list tid = { 0 };
	int found = 0, r = list_threads(d, t, &tid);

	if (r < 0 && r != -ENOENT && r != -ESRCH)
		return fail(r, "task %d: list of threads", t->task->pid);
	vec_foreach(i, &tid) {
		struct victim_thread *known = stopped_find(d->victims, *i);

		if (!known && is_kernel_worker(d, t, *i))
			continue;
		r = known ? seize_again(d, known) : seize(d, t, *i) ?: 1;
		if (r < 0)
			return r;
		found += r;
	}
	r = stop_leader_again(d, t);
	return r < 0 ? r : found + r;
}

/*
 * All attached threads that have not stopped yet. A tool that dies between a thread's stop and its
 * repair leaves an EINTR to the program, so they are stopped one by one; with many of them that
 * would cost too many wake-ups.
 */
static int stop_attached(struct dump *d, size_t *done)
{
	const size_t n = d->victims->thread.n;
	struct victim_thread **v = d->victims->thread.v;
	const size_t at_once = n - *done <= FEW_THREADS ? 1 : AT_ONCE;
	int r = 0;

	for (size_t ahead = *done; *done < n && r >= 0; (*done)++) {
		for (; ahead < n && ahead < *done + at_once; ahead++)
			interrupt(v[ahead]);
		r = await(d, v[*done]);
	}
	return r;
}

static int add_task(struct dump *d, pid_t pid, struct victim_task **ret)
{
	struct victim_task *t = arena_new(&d->arena, struct victim_task);
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", pid); /* always fits */
	t->task = arena_new(&d->arena, struct task);
	*t->task = (struct task){ .pid = pid, .pidfd = -1 };
	t->task->proc_fd =
		(int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (t->task->proc_fd < 0)
		return t->task->proc_fd;
	t->task->pidfd = (int)sys(SYS_pidfd_open, pid, 0);
	*vec_push(&d->arena, &d->victims->task) = t;
	map_put(&d->victims->by_pid, (uint64_t)pid, 0, t);
	*ret = t;
	return 0;
}

static int note_child(struct dump *d, struct victim_task *parent, pid_t tid, pid_t pid)
{
	struct victim_task *t = map_get(&d->victims->by_pid, (uint64_t)pid, 0);
	int r = 0;

	if (!t) {
		r = add_task(d, pid, &t);
		if (r == -ENOENT)
			return 0; /* died meanwhile */
		if (r < 0)
			return fail(r, "open /proc/%d", pid);
	}
	t->task->parent = parent->task;
	t->parent_tid = tid;
	t->reached = true;
	return 0;
}

static int list_children(struct dump *d, struct victim_task *t)
{
	vec_foreach(v, &t->thread) {
		struct pid_list child = { 0 };
		int r = task_list_children(&d->arena, t->task->proc_fd, (*v)->tid, &child);

		if (r < 0 && r != -ENOENT && r != -ESRCH)
			return fail(r, "task %d: list of children", t->task->pid);
		vec_foreach(c, &child) {
			r = note_child(d, t, (*v)->tid, *c);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/*
 * 1: nothing of this process is attached, but it lives: whenever one of its threads was to be, an
 * exec had just ended it or given it another number.
 */
static int missed(struct dump *d, const struct victim_task *t)
{
	struct proc_stat s;
	int r;

	vec_foreach(v, &t->thread)
		if (!(*v)->gone)
			return 0;
	r = stopped_parse_stat(d, t->task, 0, &s);
	if (r == -ENOENT || r == -ESRCH || (r >= 0 && s.state == 'Z' && s.num_threads == 1))
		return 0;
	if (r < 0 || time_now_ns() >= d->victims->deadline_ns)
		return fail(r < 0 ? r : -ETIMEDOUT, "task %d: stop it", t->task->pid);
	return 1;
}

static int any_missed(struct dump *d, size_t from)
{
	int r = 0;

	for (size_t i = from; i < d->victims->task.n && !r; i++)
		r = missed(d, d->victims->task.v[i]);
	return r;
}

/* All processes from `from` on: attached and stopped until none of them has a new thread. */
static int stop_level(struct dump *d, size_t from)
{
	struct victim_tree *vt = d->victims;
	size_t done = vt->thread.n;
	int r;

	do {
		int found = 0;

		for (size_t i = from; i < vt->task.n; i++) {
			r = seize_new(d, vt->task.v[i]);
			if (r < 0)
				return r;
			found += r;
		}
		r = stop_attached(d, &done);
		found = found || r < 0 ? found : any_missed(d, from);
		if (found < 0 || !found)
			return r < 0 ? r : found;
	} while (r >= 0);
	return r;
}

/* All that is known is stopped: should this pass find nothing new, then that is everything. */
static void read_statuses_ahead(struct dump *d)
{
	status_ahead_forget(d->statuses);
	vec_foreach(v, &d->victims->thread)
		if (!(*v)->gone)
			(*v)->ahead =
				status_ahead_add(d->statuses, (*v)->task->pid, (*v)->tid);
	status_ahead_go(d->statuses);
}

/* One walk over the tree; yields whether it found a process that was not known. */
static int pass(struct dump *d)
{
	struct victim_tree *vt = d->victims;
	size_t before = vt->task.n, done = 0, level;
	int r = 0;

	read_statuses_ahead(d);
	vec_foreach(t, &vt->task)
		(*t)->reached = *t == vt->task.v[0];
	while (done < vt->task.n) {
		for (level = vt->task.n; done < level && r >= 0; done++)
			r = list_children(d, vt->task.v[done]);
		r = r < 0 ? r : stop_level(d, level);
		if (r < 0)
			return r;
	}
	return vt->task.n > before;
}

static int collect(struct dump *d)
{
	struct victim_task *root;
	int r = add_task(d, d->opt->pid, &root);

	if (r < 0)
		return fail(r == -ENOENT ? -ESRCH : r, "process %d", d->opt->pid);
	r = stop_level(d, 0);
	while (r >= 0 && (r = pass(d)) > 0)
		;
	return r;
}

/* The process goes on; a stop by a signal stays. */
static int let_run(struct victim_task *t)
{
	int r = 0;

	vec_foreach(v, &t->thread) {
		if ((*v)->gone || (*v)->group_stop)
			continue;
		(*v)->stopped = (*v)->interrupted = false;
		r = trace_cont((*v)->tid, 0);
		if (r && r != -ESRCH)
			return fail(r, "let thread %d go on", (*v)->tid);
	}
	return 0;
}

/* 1: some process has unread answers of the kernel, and runs. */
static int let_readers_run(struct dump *d)
{
	struct netlink_waiting w;
	int found = 0;

	netlink_waiting(d, &w);
	if (!w.n)
		return 0;
	vec_foreach(t, &d->victims->task) {
		int r;

		if (!netlink_waits_for(d, (*t)->task, &w))
			continue;
		found = 1;
		r = let_run(*t);
		if (r)
			return r;
	}
	return found;
}

static void wait_a_moment(uint64_t ns)
{
	struct timespec step = { 0, (long)ns };

	(void)sys(SYS_ppoll, NULL, 0, &step, 0, 0); /* only a pause */
}

/* 1: answers of the kernel wait still; everything is stopped. */
static int collect_readers(struct dump *d)
{
	uint64_t until = time_now_ns() + ANSWER_NS, step = PAUSE_NS;
	int r;

	while ((r = let_readers_run(d)) > 0) {
		size_t from = 0;

		wait_a_moment(step);
		/* Programs have rhythms of their own. */
		step = step < PAUSE_MAX_NS ? step + step / 2 : PAUSE_NS;
		r = stop_attached(d, &from);
		while (r >= 0 && (r = pass(d)) > 0)
			;
		if (r < 0 || time_now_ns() >= until)
			return r < 0 ? r : 1;
	}
	return r;
}

static int refuse_own_tree(struct dump *d)
{
	struct task t = { .pid = d->victims->self };

	while (t.pid) {
		struct span text;
		struct proc_stat s;
		int r;

		if (t.pid == d->opt->pid)
			return refuse(
				&d->blockers, t.pid, "process",
				"the tool itself belongs to its tree",
				"run the tool from outside of that tree");
		r = io_slurp_at(&d->arena, AT_FDCWD,
				arena_printf(&d->arena, "/proc/%d/stat", t.pid), &text);
		if (r < 0 || proc_stat_parse(text, &s) < 0)
			return 0; /* an ancestor outside our view of /proc: not in the tree */
		t.pid = s.ppid;
	}
	return 0;
}

/* Processes that left the tree while it was being stopped go on. */
static void drop_strangers(struct dump *d)
{
	vec_foreach(v, &d->victims->thread)
		if ((*v)->stopped && !(*v)->gone && !(*v)->thread) {
			(void)trace_detach((*v)->tid, 0); /* only its death could be in the way */
			(*v)->gone = true;
		}
}

static int capture(struct dump *d, struct victim_thread *v, char *xstate)
{
	struct thread *t = v->thread;
	int r = trace_get_regset(v->tid, NOTE_XSTATE, xstate, XSTATE_MAX);

	if (r < 0)
		return fail(r, "task %d: vector registers of thread %d", v->task->pid, v->tid);
	t->regs.xstate = arena_memdup(&d->arena, xstate, (size_t)r);
	t->regs.xstate_len = (uint32_t)r;
	r = trace_get_sigmask(v->tid, &t->regs.sigmask);
	if (r < 0)
		return fail(r, "task %d: signal mask of thread %d", v->task->pid, v->tid);
	return restart_image(d, v);
}

static int capture_all(struct dump *d)
{
	char xstate[XSTATE_MAX];
	int r = 0;

	vec_foreach(t, &d->tree.thread)
		if (!(*t)->dead && r >= 0)
			r = capture(d, (*t)->victim, xstate);
	return r;
}

/* The rest, as late as possible: a helper may be reading. Filters must not meet our programs. */
static int take_statuses(struct dump *d)
{
	bool filtered = false;
	int r;

	vec_foreach(t, &d->tree.thread) {
		if ((*t)->dead)
			continue;
		r = stopped_status(d, (*t)->victim, &(*t)->status);
		if (r < 0)
			return r;
		filtered |= (*t)->status->seccomp != 0;
	}
	vec_foreach(t, &d->tree.thread) {
		r = !filtered || (*t)->dead
			    ? 0
			    : trace_options((*t)->tid, OPTIONS | TRACE_SUSPEND_SECCOMP);
		if (r < 0)
			return fail(r, "task %d: suspend its system call filters", (*t)->task->pid);
	}
	return 0;
}

/* A descriptor for /proc, one for the process, one for memory: per task. */
static void raise_descriptor_limit(void)
{
	struct rlimit l;

	if (sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &l,
		  0); /* running out is reported where it happens */
}

static int begin(struct dump *d)
{
	struct victim_tree *vt = arena_new(&d->arena, struct victim_tree);
	unsigned int s = d->opt->timeout_s ? d->opt->timeout_s : DEFAULT_TIMEOUT_S;
	int r;

	d->victims = vt;
	*vt = (struct victim_tree){ .cpu = -1,
				    .self = (pid_t)sys(SYS_getpid),
				    .deadline_ns = time_now_ns() + s * 1000000000ULL };
	map_init(&vt->by_tid, &d->arena);
	map_init(&vt->by_pid, &d->arena);
	raise_descriptor_limit();
	r = trace_wait_begin(&vt->old_sigmask);
	vt->waiting = r >= 0;
	return r < 0 ? fail(r, "block SIGCHLD") : 0;
}

static void number_address_spaces(struct dump *d)
{
	for (size_t i = d->tree.thread.n; i-- > 0;) {
		struct thread *t = d->tree.thread.v[i];

		if (t->dead)
			continue;
		t->victim->mm = &d->victims->mm[t->task->mm];
		t->victim->next_in_mm = d->victims->in_mm[t->task->mm];
		d->victims->in_mm[t->task->mm] = t->victim;
	}
}

static int freeze(struct dump *d, bool *ret_unread)
{
	int r = begin(d);

	r = r < 0 ? r : refuse_own_tree(d);
	r = r < 0 ? r : collect(d);
	r = r < 0 ? r : collect_readers(d);
	*ret_unread = r > 0;
	r = r < 0 ? r : frozen_tree_build(d);
	if (r < 0)
		return r;
	drop_strangers(d);
	d->victims->mm = arena_array(&d->arena, struct victim_mm *, d->tree.task.n);
	d->victims->in_mm = arena_array(&d->arena, struct victim_thread *, d->tree.task.n);
	r = capture_all(d);
	r = r < 0 ? r : share_number(d);
	r = r < 0 ? r : take_statuses(d);
	if (r < 0)
		return r;
	number_address_spaces(d);
	d->victims->complete = !d->blockers.list.n;
	return d->victims->complete ? 0 : -ENOTSUP;
}

int victim_freeze(struct dump *d)
{
	struct fault_place before = fault_enter(FAULT_VICTIM, -1);
	uint64_t until = time_now_ns() + ANSWER_ALL_NS;
	bool unread;
	int r = freeze(d, &unread);

	while (r >= 0 && unread && time_now_ns() < until) {
		r = victim_release(d, VICTIM_RESUME);
		d->tree = (struct tree){ 0 };
		wait_a_moment(ANSWER_PAUSE_NS);
		r = r < 0 ? r : freeze(d, &unread);
	}
	if (r < 0)
		(void)victim_release(d, VICTIM_RESUME); /* the first failure is the one to report */
	fault_leave(before);
	return r;
}
