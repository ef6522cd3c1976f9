/*
 * Interrupted system calls. A stop interrupts a blocked call, and the result tells how the kernel
 * would go on: ERESTARTSYS, ERESTARTNOINTR and ERESTARTNOHAND make the call again, which we can do
 * as well by rewinding; ERESTART_RESTARTBLOCK goes on with what is left of a relative sleep, which
 * only the same task can; and some calls just yield EINTR although no handler ran. Those become
 * ERESTARTNOHAND, unless a handler is about to run: then the EINTR belongs to it.
 *
 * The living thread gets back its registers unmodified (but for EINTR), so that its sleep keeps the
 * original deadline. The image gets them unmodified as well: a thread that a tracer lets go passes
 * the kernel's code for restarts, so a signal that comes before a restored thread runs ends the
 * call with EINTR, as ever. (Calls with a mask of their own are rewound: outside of them other
 * signals get through.) Of relative sleeps it gets them rewound, and how much is left: the kernel
 * writes it to the caller's `rem` pointer; without one, and for poll and futex, sleep.c knows how
 * much has passed. A call that was restarted before (its number is restart_syscall) is recognised
 * by the code in front of it.
 *
 * Limit: relative timeouts of the EINTR calls start again in full.
 */
#include "core/stop/restart.h"

#include <linux/futex.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/connection.h"
#include "core/stop/regs.h"
#include "core/stop/sleep.h"
#include "kernel/descriptor.h"
#include "kernel/proc-status.h"
#include "kernel/ptrace-inquiry.h"
#include "kernel/sys.h"

enum {
	E_RESTARTSYS = 512,
	E_RESTARTNOINTR = 513,
	E_RESTARTNOHAND = 514,
	E_RESTART_BLOCK = 516,
	NOTE_PRSTATUS = 1
};

static bool handler_is_due(const struct proc_status *s)
{
	return ((s->sigpnd | s->shdpnd) & ~s->sigblk & s->sigcgt) != 0;
}

struct rseq_head {
	uint32_t cpu_id_start, cpu_id;
	uint64_t cs;
};
struct rseq_section {
	uint32_t version, flags;
	uint64_t start, len, abort;
};

/* 1: the instruction pointer was moved to the abort handler. A bad section is the kernel's to
 * punish. */
static int repair_rseq(struct victim_thread *v, uint64_t *ret_cs)
{
	struct rseq_head head;
	struct rseq_section s;

	v->rseq_known = trace_rseq(v->tid, &v->rseq) >= 0;
	if (!v->rseq_known || !v->rseq.pointer ||
	    trace_read(v->tid, v->rseq.pointer, &head, sizeof(head)) < 0)
		return 0;
	v->cpu = head.cpu_id < 1u << 16 ? (int)head.cpu_id : -1;
	*ret_cs = head.cs;
	if (!head.cs || trace_read(v->tid, head.cs, &s, sizeof(s)) < 0 ||
	    regs_ip(&v->live) - s.start >= s.len)
		return 0;
	regs_set_ip(&v->live, s.abort);
	*ret_cs = 0;
	return 1;
}

/* The call sleeps with a signal mask of its own, or may: outside of it other signals get through.
 */
static bool has_own_mask(const struct victim_thread *v, int64_t call)
{
	uint64_t mask[2] = { 0 };

	switch (call) {
	case SYS_ppoll: return regs_arg(&v->live, 3);
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2: return regs_arg(&v->live, 4);
	case SYS_pselect6:
		return regs_arg(&v->live, 5) &&
		       (trace_read(v->tid, regs_arg(&v->live, 5), mask, sizeof(mask)) < 0 ||
			mask[0]);
	case SYS_rt_sigsuspend:
	case SYS_io_pgetevents:
	case SYS_io_uring_enter: return true;
	default: return false;
	}
}

/* As if nothing had happened: made again, unless a handler comes first. */
static void make_again(struct victim_thread *v)
{
	if (has_own_mask(v, regs_call(&v->live)))
		regs_rewind(&v->live, regs_call(&v->live));
	else
		regs_set_restart(&v->live, E_RESTARTNOHAND);
}

int restart_repair(struct dump *d, struct victim_thread *v)
{
	const struct proc_status *s;
	uint64_t rseq_cs = 0;
	bool changed = false;
	int r = trace_get_regset(v->tid, NOTE_PRSTATUS, &v->live, sizeof(v->live));

	if (r == -ESRCH)
		return r;
	if (r < 0)
		return fail(r, "task %d: registers of thread %d", v->task->pid, v->tid);
	if (!regs_native(&v->live, r))
		return refuse(&d->blockers, v->task->pid, "thread", "it runs in 32-bit mode", NULL);
	if (regs_call(&v->live) >= 0 && regs_result(&v->live) == -EINTR &&
	    restart_fails_when_stopped(regs_call(&v->live))) {
		r = stopped_status(d, v, &s);
		if (r < 0)
			return r;
		changed = !handler_is_due(s);
		if (changed)
			make_again(v);
	}
	changed |= repair_rseq(v, &rseq_cs) > 0;
	v->rseq_cs = rseq_cs;
	r = changed ? trace_set_regset(v->tid, NOTE_PRSTATUS, &v->live, sizeof(v->live)) : 0;
	return r < 0 ? fail(r, "task %d: repair the call of thread %d", v->task->pid, v->tid) : 0;
}

struct user_regs_struct restart_rewound(const struct victim_thread *v, int64_t *ret_sleep)
{
	struct user_regs_struct r = v->live;
	int64_t call = regs_call(&r), result = -regs_result(&r);
	uint8_t code[RESTART_CODE_BYTES];

	*ret_sleep = -1;
	if (call < 0 || result < E_RESTARTSYS || result > E_RESTART_BLOCK)
		return r;
	if (result == E_RESTART_BLOCK && call == SYS_restart_syscall) {
		call = trace_read(v->tid, regs_ip(&r) - sizeof(code), code, sizeof(code)) < 0
			       ? -1
			       : restart_call_in_code(code);
		call = call < 0 ? v->sleep_call : call;
	}
	if (call < 0) {
		regs_set_result(&r, -EINTR);
		return r;
	}
	*ret_sleep = result == E_RESTART_BLOCK ? call : -1;
	regs_rewind(&r, call);
	return r;
}

static uint64_t timespec_at(pid_t tid, uint64_t address)
{
	struct timespec t;

	if (!address || trace_read(tid, address, &t, sizeof(t)) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The time that the call was made with; 0: no relative time. */
static uint64_t time_full(const struct victim_thread *v, int64_t call)
{
	const struct user_regs_struct *r = &v->live;

	switch (call) {
	case SYS_nanosleep: return timespec_at(v->tid, regs_arg(r, 0));
	case SYS_clock_nanosleep: return timespec_at(v->tid, regs_arg(r, 2));
	case SYS_futex:
		return (regs_arg(r, 1) & FUTEX_CMD_MASK) == FUTEX_WAIT
			       ? timespec_at(v->tid, regs_arg(r, 3))
			       : 0;
#ifdef SYS_poll
	case SYS_poll: return (int32_t)regs_arg(r, 2) > 0 ? regs_arg(r, 2) * 1000000 : 0;
#endif
	default: return 0;
	}
}

/* What is left of the sleep: as the kernel wrote it, or as the time that has passed tells. */
static uint64_t time_left(const struct victim_thread *v, int64_t call)
{
	uint64_t remainder = call == SYS_nanosleep	  ? regs_arg(&v->live, 1)
			     : call == SYS_clock_nanosleep ? regs_arg(&v->live, 3)
							   : 0;
	uint64_t full = time_full(v, call);

	if (remainder || !full)
		return remainder ? timespec_at(v->tid, remainder) : 0;
	return v->slept_ns < full ? full - v->slept_ns : 1;
}

/*
 * The kernel itself may decide after a restore, too, whether the call is made again: a signal that
 * comes before the thread runs has to end it (EINTR), which a rewound call would not notice.
 */
static bool kernel_decides(const struct victim_thread *v)
{
	int64_t call = regs_call(&v->live), result = -regs_result(&v->live);

	return call >= 0 && call != SYS_restart_syscall && result >= E_RESTARTSYS &&
	       result <= E_RESTARTNOHAND && !has_own_mask(v, call);
}

int restart_image(struct dump *d, struct victim_thread *v)
{
	struct thread *t = v->thread;
	struct user_regs_struct r;
	int64_t sleep;

	v->sleep_call = -1;
	if (regs_result(&v->live) == -E_RESTART_BLOCK)
		sleep_compare(d, v);
	r = restart_rewound(v, &sleep);
	if (kernel_decides(v))
		r = v->live;
	if (regs_call(&v->live) == SYS_restart_syscall &&
	    regs_result(&v->live) == -E_RESTART_BLOCK && sleep < 0)
		log_warn("task %d: thread %d: its sleep will yield EINTR after a restore",
			 v->task->pid, v->tid);
	t->regs.prstatus = arena_memdup(&d->arena, &r, sizeof(r));
	t->regs.prstatus_len = sizeof(r);
	t->regs.rseq_cs = v->rseq_cs;
	t->restart_left_ns = sleep < 0 ? 0 : time_left(v, sleep);
	t->restart_syscall = t->restart_left_ns ? (uint64_t)sleep : 0;
	return 0;
}

static bool has_connected(const struct victim_thread *v)
{
	int64_t result = -regs_result(&v->live);
	_close_ int fd = -1;
	int state;

	if (regs_call(&v->live) != SYS_connect || result < E_RESTARTSYS || result > E_RESTARTNOHAND)
		return false;
	fd = sys_pidfd_getfd(v->task->pidfd, (int)regs_arg(&v->live, 0));
	state = fd < 0 ? fd : connection_state(fd);
	return state > 0 && state != TCP_SYN_SENT && state != TCP_CLOSE && state != TCP_LISTEN;
}

void restart_settle(struct dump *d)
{
	vec_foreach(v, &d->victims->thread) {
		struct user_regs_struct r = (*v)->live;

		if (!(*v)->thread || (*v)->gone || !has_connected(*v))
			continue;
		regs_set_result(&r, 0);
		(*v)->thread->regs.prstatus = arena_memdup(&d->arena, &r, sizeof(r));
	}
}
