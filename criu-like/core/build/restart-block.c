/*
 * A relative sleep that was interrupted (-ERESTART_RESTARTBLOCK) waits on kernel state that belongs
 * to the task and cannot be written. It can be made again: the restored thread enters the same call
 * with the time that was left, is interrupted at once, and so has a restart block of its own; the
 * program sees one call that slept for the right time. A time that lies in memory (which may be
 * constant) is given below the thread's red zone instead, and what was there is put back at once:
 * the kernel reads it only at the entry.
 */
#include "core/build/restart-block.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <time.h>

#include "base/err.h"
#include "core/build/attach.h"
#include "kernel/sys.h"

enum { RESTARTBLOCK = 516, BELOW_BYTES = 512 };

struct sleep {
	const struct thread *t;
	struct user_regs_struct regs;  /* at the `syscall` instruction, as saved */
	struct user_regs_struct entry; /* the same with the time that was left */
	uint64_t time_at;	       /* where the time is given, 0: in a register */
	struct timespec saved;
};

static int access_time(const struct sleep *s, struct timespec *t, bool write)
{
	struct iovec local = { t, sizeof(*t) },
		     remote = { (void *)(uintptr_t)s->time_at, sizeof(*t) };
	long k = sys(write ? SYS_process_vm_writev : SYS_process_vm_readv, s->t->tid, &local, 1,
		     &remote, 1, 0);

	return k == sizeof(*t) ? 0 : -1;
}

/* False: a call that may simply be made again. */
static bool locate(struct sleep *s)
{
	struct user_regs_struct *e = &s->entry;

	switch (s->t->restart_syscall) {
	case SYS_nanosleep:
		e->rdi = s->time_at;
		return true;
	case SYS_clock_nanosleep:
		e->rdx = s->time_at;
		return !(e->rsi & TIMER_ABSTIME);
	case SYS_futex:
		if ((e->rsi & FUTEX_CMD_MASK) != FUTEX_WAIT || !e->r10)
			return false;
		e->r10 = s->time_at;
		return true;
	case SYS_poll:
		if ((int)e->rdx < 0)
			return false;
		s->time_at = 0;
		e->rdx = (s->t->restart_left_ns + 999999) / 1000000;
		return true;
	default:
		return false;
	}
}

static int interrupt_at_entry(const struct sleep *s)
{
	struct user_regs_struct now;
	pid_t tid = s->t->tid;
	long k = attach_set_regs(tid, &s->entry, sizeof(s->entry));

	k = k ?: attach_to_syscall_stop(tid);
	if (k)
		return (int)k;
	k = sys(SYS_ptrace, PTRACE_INTERRUPT, tid, 0, 0);
	if (k < 0)
		return fail(k, "interrupt thread %d", tid);
	/* No stop at the exit: any stop would consume the pending interrupt. */
	k = attach_to_interrupt_stop(tid);
	k = k ?: attach_get_regs(tid, &now);
	if (k)
		return (int)k;
	/* With nothing left the call has returned already: that is its result, the time is up. */
	now.rdi = s->regs.rdi;
	now.rdx = s->regs.rdx;
	now.r10 = s->regs.r10;
	return attach_set_regs(tid, &now, sizeof(now));
}

int restart_block_renew(const struct thread *t)
{
	const struct timespec left = { (time_t)(t->restart_left_ns / 1000000000),
				       (long)(t->restart_left_ns % 1000000000) };
	struct timespec copy = left;
	struct sleep s = { .t = t };
	int r;

	if (!t->restart_syscall || t->regs.prstatus_len != sizeof(s.regs))
		return 0;
	memcpy(&s.regs, t->regs.prstatus, sizeof(s.regs));
	s.entry = s.regs;
	s.time_at = (s.regs.rsp - BELOW_BYTES) & ~63ull;
	if (!locate(&s) ||
	    (s.time_at && (access_time(&s, &s.saved, false) || access_time(&s, &copy, true))))
		return 0;
	r = interrupt_at_entry(&s);
	if (s.time_at && access_time(&s, &s.saved, true))
		return fail(-EFAULT, "put back the time of a sleep of thread %d", t->tid);
	return r ?: 1;
}
