/*
 * Registers, vector state and signal masks are set by ptrace, not by a signal frame: it carries
 * every feature the kernel knows, the segment bases and the blocked mask, and needs no memory of
 * the task. The area is unmapped from outside, through the `syscall` instruction of the restored
 * vdso, while all threads of the address space are stopped; what they would execute is gone, but
 * their registers are replaced before they run.
 *
 * Until attach_release() EXITKILL holds: a coordinator that dies leaves no process. It is taken
 * from one process after the other, which a guard makes one step (commit-guard.c).
 */
#include "core/build/attach.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "core/build/area.h"
#include "core/build/birth.h"
#include "core/build/commit-guard.h"
#include "core/memory/memory.h"
#include "core/build/restart-block.h"
#include "core/stop/stopped.h"
#include "core/task-kinds.h"
#include "core/build/watch.h"
#include "kernel/proc-status.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif
enum { PLAIN_FLAGS = 2 }; /* no single steps, no alignment checks */
enum { SETSIGMASK = 0x420b, GET_RSEQ_CONFIGURATION = 0x420f };
static const uint64_t stop_bound_ns = 10000000000ULL, stop_slice_ns = 200000000,
		      reap_slice_ns = 5000000;

static bool has_image(const struct restore *r, const char *stem)
{
	const char *const *stems;
	size_t n = image_set_stems(r->set, &stems);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(stems[i], stem))
			return true;
	return false;
}

static long attach_options(const struct restore *r)
{
	long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;

	return has_image(r, "seccomp") ? options | PTRACE_O_SUSPEND_SECCOMP : options;
}

/* PDEATHSIG of our sibling would come with the death of our parent, so we are its tracer from
 * birth. */
static bool seized_at_birth(const struct restore *r, const struct thread *t)
{
	return r->opt->sibling && !t->dead && t == r->tree.task.v[0]->thread.v[0];
}

int attach_sibling(struct restore *r)
{
	const struct thread *t = r->tree.task.v[0]->thread.v[0];
	long k = seized_at_birth(r, t) ? sys(SYS_ptrace, PTRACE_SEIZE, t->tid, 0, attach_options(r))
				       : 0;

	return k < 0 ? fail(k, "attach to the root process %d", t->tid) : 0;
}

int attach_all(struct restore *r)
{
	long options = attach_options(r);

	vec_foreach(t, &r->tree.thread) {
		/* One thread is enough to take its process along, and its release is the commit of
		 * the process. A dead leader stays attached as a zombie. */
		bool anchor = *t == task_main((*t)->task);
		long mine = anchor ? options : options & ~PTRACE_O_EXITKILL;
		long k = seized_at_birth(r, *t) ? 0
						: sys(SYS_ptrace, PTRACE_SEIZE, (*t)->tid, 0, mine);

		if (k < 0)
			return fail(k, "attach to restored thread %d", (*t)->tid);
	}
	r->traced = true;
	return 0;
}

/*
 * Bounded, and ended by the death of the task: the kernel tells that of a leader only when all its
 * threads are reaped, so /proc is asked as well.
 */
static int wait_stop(pid_t tid, struct trace_stop *ret)
{
	uint64_t end = time_now_ns() + stop_bound_ns;
	uint32_t threads;
	char state;
	int k;

	do {
		k = stopped_wait(tid, time_now_ns() + stop_slice_ns, ret);
		if (k == -ECHILD || (!k && ret->what != TRACE_STOPPED))
			return fail(-ESRCH, "restored thread %d died", tid);
		state = k == -ETIMEDOUT ? watch_state(tid, &threads) : 0;
		if (state == 'Z' || state == 'X')
			return fail(-ESRCH, "restored thread %d died", tid);
	} while (k == -ETIMEDOUT && time_now_ns() < end);
	return k ? fail(k, "wait for thread %d", tid) : 0;
}

/* Leaders that end before their threads: they run code of the area until they are gone. */
static int await_dead(pid_t tid)
{
	uint64_t end = time_now_ns() + stop_bound_ns;
	uint32_t threads;
	char state;

	while ((state = watch_state(tid, &threads)) != 'Z' && state != 'X') {
		if (time_now_ns() >= end)
			return fail(-ETIMEDOUT, "thread %d does not end", tid);
		(void)sys(SYS_sched_yield); /* always succeeds */
	}
	return 0;
}

int attach_stop_all(struct restore *r)
{
	vec_foreach(t, &r->tree.thread) {
		long k = (*t)->dead ? 0 : sys(SYS_ptrace, PTRACE_INTERRUPT, (*t)->tid, 0, 0);

		if (k < 0)
			return fail(k, "interrupt restored thread %d", (*t)->tid);
	}
	vec_foreach(t, &r->tree.thread) {
		struct trace_stop stop;
		int k = (*t)->dead ? await_dead((*t)->tid) : wait_stop((*t)->tid, &stop);

		if (k)
			return k;
	}
	return 0;
}

int attach_get_regs(pid_t tid, struct user_regs_struct *ret)
{
	struct iovec iov = { ret, sizeof(*ret) };
	long k = sys(SYS_ptrace, PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov);

	return k < 0 ? fail(k, "read the registers of thread %d", tid) : 0;
}

int attach_set_regs(pid_t tid, const void *regs, size_t len)
{
	struct iovec iov = { (void *)regs, len };
	long k = sys(SYS_ptrace, PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov);

	return k < 0 ? fail(k, "set the registers of thread %d", tid) : 0;
}

static int run_to_syscall(pid_t tid)
{
	long k = sys(SYS_ptrace, PTRACE_SYSCALL, tid, 0, 0);

	return k < 0 ? fail(k, "run thread %d", tid) : 0;
}

/* Other stops (a late event) are passed. */
static int await_syscall_stop(pid_t tid)
{
	struct trace_stop stop = { 0 };
	int k = wait_stop(tid, &stop);

	while (!k && (stop.event || stop.sig != TRACE_SYSCALL_STOP))
		k = run_to_syscall(tid) ?: wait_stop(tid, &stop);
	return k;
}

int attach_to_syscall_stop(pid_t tid)
{
	return run_to_syscall(tid) ?: await_syscall_stop(tid);
}

/* Runs to the stop that a pending interrupt makes. */
int attach_to_interrupt_stop(pid_t tid)
{
	struct trace_stop stop;
	long k = sys(SYS_ptrace, PTRACE_CONT, tid, 0, 0);

	return k < 0 ? fail(k, "run thread %d", tid) : wait_stop(tid, &stop);
}

/*
 * Every address space takes down its area by itself, all at the same time: first all are set going,
 * then all are awaited where the call begins, then where it ends.
 */
static int unmap_begin(struct restore *r, const struct task *t)
{
	const struct thread *main = task_main(t);
	struct user_regs_struct regs;
	uint64_t at = 0;
	int k = memory_syscall_address(r, t, &at);

	if (k)
		return k;
	/* Its own segments will do; the rest does not matter to the call. */
	memcpy(&regs, main->regs.prstatus, sizeof(regs));
	regs.rip = at;
	regs.eflags = PLAIN_FLAGS;
	regs.rax = SYS_munmap;
	regs.orig_rax = (unsigned long long)-1;
	regs.rdi = r->area_base;
	regs.rsi = r->area_len;
	k = attach_set_regs(main->tid, &regs, sizeof(regs));
	return k ?: run_to_syscall(main->tid);
}

static int unmap_enter(struct restore *r, const struct task *t)
{
	pid_t tid = task_main(t)->tid;

	(void)r; /* as the others */
	return await_syscall_stop(tid) ?: run_to_syscall(tid);
}

static int unmap_end(struct restore *r, const struct task *t)
{
	pid_t tid = task_main(t)->tid;
	int k = await_syscall_stop(tid);
	long result, e;

	(void)r; /* as the others */
	if (k)
		return k;
	e = sys(SYS_ptrace, PTRACE_PEEKUSER, tid, offsetof(struct user_regs_struct, rax), &result);
	if (e < 0)
		return fail(e, "read the result of thread %d", tid);
	return result ? fail(result, "unmap the area of task %d", t->pid) : 0;
}

static int unmap_areas(struct restore *r)
{
	static int (*const step[])(struct restore *, const struct task *) = {
		unmap_begin, unmap_enter, unmap_end
	};

	for (size_t i = 0; i < array_size(step); i++)
		vec_foreach(t, &r->tree.task) {
			int k = (*t)->state == TASK_ZOMBIE || (*t)->mm != (*t)->index ?
					0 :
					step[i](r, *t);

			if (k)
				return k;
		}
	return 0;
}

/* The kernel clears rseq_cs on the way to user mode with a foreign instruction pointer: put it back
 * last. */
static int poke_rseq(const struct thread *t)
{
	struct {
		uint64_t pointer;
		uint32_t size, signature, flags, pad;
	} conf;
	uint64_t value = t->regs.rseq_cs;
	struct iovec local = { &value, sizeof(value) }, remote;
	long k;

	if (!value)
		return 0;
	k = sys(SYS_ptrace, GET_RSEQ_CONFIGURATION, t->tid, sizeof(conf), &conf);
	if (k < 0)
		return fail(k, "read the rseq registration of thread %d", t->tid);
	remote = (struct iovec){ (void *)(uintptr_t)(conf.pointer + 8), sizeof(value) };
	k = sys(SYS_process_vm_writev, t->tid, &local, 1, &remote, 1, 0);
	return k == sizeof(value)
		       ? 0
		       : fail(k, "put back the restartable sequence of thread %d", t->tid);
}

static int set_state(const struct thread *t)
{
	struct iovec xstate = { t->regs.xstate, t->regs.xstate_len };
	uint64_t mask = t->regs.sigmask;
	int r = restart_block_renew(t);
	long k;

	if (r < 0)
		return r;
	if (!r)
		r = attach_set_regs(t->tid, t->regs.prstatus, t->regs.prstatus_len);
	if (r < 0)
		return r;
	k = sys(SYS_ptrace, PTRACE_SETREGSET, t->tid, NT_X86_XSTATE, &xstate);
	if (k < 0)
		return fail(k, "set the vector state of thread %d", t->tid);
	k = sys(SYS_ptrace, SETSIGMASK, t->tid, sizeof(mask), &mask);
	return k < 0 ? fail(k, "set the signal mask of thread %d", t->tid) : poke_rseq(t);
}

int attach_finish(struct restore *r)
{
	int e = unmap_areas(r);

	if (e)
		return e;
	vec_foreach(t, &r->tree.thread) {
		int k = (*t)->dead ? 0 : set_state(*t);

		k = k || (*t)->dead ? k : task_kinds_last(r, *t);
		if (k)
			return k;
	}
	return 0;
}

/*
 * The number of the original stop signal is kept where the kernel will honour it: not blocked, not
 * caught or ignored. Otherwise SIGSTOP does the same but for that number.
 */
static int stop_signal(struct restore *r, const struct task *t)
{
	struct proc_status s;
	struct proc_dir dir;
	struct span text;
	uint64_t bit = 1ull << (t->stop_signal - 1);

	if (t->stop_signal == SIGSTOP || !t->parent || t->parent->sid != t->sid ||
	    t->parent->pgid == t->pgid)
		return SIGSTOP; /* in an orphaned group the others are discarded */
	if (proc_open(t->pid, &dir))
		return SIGSTOP;
	if (proc_read(&r->arena, &dir, "status", &text) || proc_status_parse(&r->arena, text, &s)) {
		proc_close(&dir);
		return SIGSTOP;
	}
	proc_close(&dir);
	if ((t->thread.v[0]->regs.sigmask | s.sigcgt | s.sigign) & bit)
		return SIGSTOP;
	return (int)t->stop_signal;
}

static int send_stops(struct restore *r)
{
	vec_foreach(t, &r->tree.task) {
		bool stop =
			(*t)->state != TASK_ZOMBIE && (r->opt->leave_stopped || (*t)->stop_signal);
		long k = !stop ? 0
			       : sys(SYS_kill, (*t)->pid,
				     (*t)->stop_signal ? stop_signal(r, *t) : SIGSTOP);

		if (k < 0)
			return fail(k, "stop task %d again", (*t)->pid);
	}
	return 0;
}

static int release_from_death(struct restore *r)
{
	vec_foreach(t, &r->tree.thread) {
		bool anchor = *t == task_main((*t)->task);
		long e = anchor ? sys(SYS_ptrace, PTRACE_SETOPTIONS, (*t)->tid, 0, 0) : 0;

		if (e < 0)
			return fail(e, "free thread %d from the tool", (*t)->tid);
	}
	return 0;
}

int attach_release(struct restore *r)
{
	struct commit_guard guard = { 0 };
	int k = send_stops(r);

	k = k ?: commit_guard_begin(r, &guard);
	k = k ?: release_from_death(r);
	if (k) {
		commit_guard_end(&guard);
		return k;
	}
	commit_guard_pass(&guard);
	vec_foreach(t, &r->tree.thread) {
		long e = (*t)->dead ? 0 : sys(SYS_ptrace, PTRACE_DETACH, (*t)->tid, 0, 0);

		if (e < 0)
			log_warn("thread %d was killed by somebody while it was being released",
				 (*t)->tid);
	}
	r->traced = false;
	commit_guard_end(&guard);
	return 0;
}

static bool anybody_left(struct restore *r)
{
	uint32_t threads;
	char state;

	vec_foreach(b, &r->births->all) {
		state = *area_born(r, (*b)->index) ? watch_state((*b)->pid, &threads) : 'X';
		if (state != 'X' &&
		    !(state == 'Z' && r->opt->sibling)) /* that one is our parent's to reap */
			return true;
	}
	return false;
}

/*
 * Orphans come to us, a subreaper, before their parent can be reaped: no child left means nobody
 * left. Children that we had before, or that a script left to us, are not waited for.
 */
static void reap_all(struct restore *r)
{
	uint64_t end = time_now_ns() + stop_bound_ns;
	long k;

	do {
		do
			k = sys(SYS_wait4, -1, NULL, __WALL | WNOHANG, NULL);
		while (k > 0 || k == -EINTR);
		if (k == -ECHILD)
			return;
		(void)trace_wait_any(reap_slice_ns); /* judged by the loop */
	} while (anybody_left(r) && time_now_ns() < end);
}

void attach_kill_all(struct restore *r)
{
	if (!r->births || !r->area)
		return;
	vec_foreach(b, &r->births->all)
		if (*area_born(r, (*b)->index))
			(void)sys(SYS_kill, (*b)->pid, SIGKILL); /* ESRCH: it is gone already */
	reap_all(r);
}
