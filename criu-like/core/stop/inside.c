/*
 * Moving stopped threads between their own code and ours. The order of steps is the whole point;
 * see docs/decisions/0003-injection.md for what happens when the tool dies between any two of them:
 * in: frame, registers, mask; out: mask, registers. The mask leaves one signal open, the marker,
 * which is ignored when nobody traces. The blob is mapped with an address of our choice, so that
 * the first thread's chain knows what to unmap before it exists.
 */
#include "core/stop/inside.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/time.h"
#include "core/stop/frames.h"
#include "core/stop/gadget.h"
#include "core/stop/regs.h"
#include "kernel/proc-status.h"
#include "kernel/ptrace-inquiry.h"
#include "kernel/read-ahead.h"
#include "kernel/sys.h"

enum {
	NOTE_PRSTATUS = 1,
	PAGE = 4096,
	BLOB_BYTES_MIN = 32 * 1024,
	BLOB_STACK_BYTES = 8 * 1024,
	DEFAULT_TIMEOUT_S = 10,
};

extern const char blob_start[], blob_end[];

static uint64_t until(struct dump *d)
{
	unsigned int s = d->opt->timeout_s ? d->opt->timeout_s : DEFAULT_TIMEOUT_S;

	return time_now_ns() + s * 1000000000ULL;
}

/* The first signal outside `no` that is ignored when nobody traces; 0: none. */
static int ignored_signal(const struct victim_thread *v, uint64_t no)
{
	static const int by_default[] = { SIGWINCH, SIGURG, SIGCHLD };
	const struct proc_status *s = v->thread->status;

	for (size_t i = 0; i < array_size(by_default); i++)
		if (!(no >> (by_default[i] - 1) & 1))
			return by_default[i];
	for (int sig = 1; sig < 32; sig++)
		if (!(no >> (sig - 1) & 1) && (s->sigign >> (sig - 1) & 1))
			return sig;
	/* Go catches all the others; continuing a process that is not stopped does nothing. */
	return v->task->stop_signal || (no >> (SIGCONT - 1) & 1) ? 0 : SIGCONT;
}

/*
 * Not pending, and not blocked where there is a choice: a blocked one could be sent by somebody
 * during the run and would be taken for nothing, and stays pending if the tool dies between the two
 * steps in. (A libc blocks all of them for moments.) With none left, every system call of the
 * program is stopped at until it sends itself signal 0.
 */
static void choose_marker(struct victim_thread *v)
{
	const struct proc_status *s = v->thread->status;
	uint64_t no = s->sigcgt | s->sigpnd | s->shdpnd;

	v->marker = ignored_signal(v, no | v->thread->regs.sigmask);
	v->marker = v->marker ? v->marker : ignored_signal(v, no);
}

int inside_prepare(struct dump *d, struct victim_thread *v)
{
	struct trace_dispatch config = { 0 };

	if (v->prepared)
		return 0;
	v->dispatch_off = trace_dispatch(v->tid, &config) >= 0 && !config.mode;
	if (!v->dispatch_off && config.mode)
		return refuse(
			&d->blockers, v->task->pid, arena_printf(&d->arena, "thread %d", v->tid),
			"it handles its own system calls (PR_SET_SYSCALL_USER_DISPATCH)",
			NULL);
	choose_marker(v);
	v->prepared = true;
	return 0;
}

static int set_regs(const struct victim_thread *v, const struct user_regs_struct *r)
{
	int e = trace_set_regset(v->tid, NOTE_PRSTATUS, r, sizeof(*r));

	return e < 0 ? fail(e, "task %d: registers of thread %d", v->task->pid, v->tid) : 0;
}

/* Registers first, then the mask. */
int inside_leave_home(struct victim_thread *v, const struct user_regs_struct *r)
{
	int e;

	v->away = true;
	e = set_regs(v, r);
	if (e < 0)
		return e;
	e = trace_set_sigmask(v->tid, v->marker ? ~(1ULL << (v->marker - 1)) : ~0ULL);
	return e < 0 ? fail(e, "task %d: signal mask of thread %d", v->task->pid, v->tid) : 0;
}

int inside_go_home(struct victim_thread *v)
{
	struct victim_mm *mm = *v->mm;
	int r = v->away ? trace_set_sigmask(v->tid, v->thread->regs.sigmask) : 0;

	if (r < 0)
		return fail(r, "task %d: signal mask of thread %d", v->task->pid, v->tid);
	r = v->away ? set_regs(v, &v->live) : 0;
	if (r < 0)
		return r;
	v->away = false;
	for (int i = 0; i < FRAME_SLOTS; i++)
		if (mm && mm->slot[i] == v)
			mm->slot[i] = NULL;
	return 0;
}

static struct user_regs_struct leaning(const struct victim_mm *mm, const struct victim_thread *v)
{
	struct user_regs_struct r = v->live;

	frame_jump(&r, mm->gadgets.ret, frames_chain(mm, v), mm->blob, mm->blob_len);
	return r;
}

int inside_lean(struct victim_mm *mm, struct victim_thread *v)
{
	const struct user_regs_struct r = leaning(mm, v);

	return set_regs(v, &r);
}

uint64_t inside_way_home(const struct victim_mm *mm, const struct victim_thread *v)
{
	return frames_chain(mm, v) + 8;
}

static int lost(struct victim_thread *v)
{
	v->gone = true;
	return fail(-ESRCH, "task %d: thread %d was killed", v->task->pid, v->tid);
}

/* With RLIMIT_SIGPENDING used up the kernel keeps the signal but not who sent it: pid 0. */
static bool own_marker(const struct victim_thread *v, int sig)
{
	siginfo_t info;

	return sig && sig == v->marker && trace_siginfo(v->tid, &info) >= 0 &&
	       (info.si_code == SI_TKILL || (info.si_code == SI_USER && !info.si_pid));
}

static bool harmless(int sig)
{
	return sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE &&
	       sig != SIGTRAP && sig != SIGSYS;
}

/* The exit of the call that stands for a marker; *entered is whether its entry was seen. */
static bool own_call(const struct victim_thread *v, bool *entered)
{
	struct user_regs_struct regs;
	bool before = *entered;

	*entered = trace_get_regset(v->tid, NOTE_PRSTATUS, &regs, sizeof(regs)) >= 0 &&
		   regs_call(&regs) == SYS_tgkill && regs_arg(&regs, 2) == 0;
	return before && *entered;
}

int inside_resume(const struct victim_thread *v, int sig)
{
	return v->marker ? trace_cont(v->tid, sig) : trace_syscall(v->tid, sig);
}

int inside_await_marker(struct dump *d, struct victim_thread *v)
{
	bool entered = false;
	uint64_t end = until(d);

	for (;;) {
		struct trace_stop s;
		int r = stopped_wait(v->tid, end, &s);

		if (r == -ECHILD || (r >= 0 && s.what == TRACE_EXITED))
			return lost(v);
		if (r < 0)
			return fail(r, "task %d: wait for injected code in thread %d", v->task->pid,
				    v->tid);
		if (!s.event && own_marker(v, s.sig)) {
			/* Else a dying tool would leave it pending where the own mask blocks it. */
			(void)trace_swallow(v->tid);
			return 0;
		}
		if (!s.event && s.sig == TRACE_SYSCALL_STOP && own_call(v, &entered))
			return 0;
		if (!s.event && !harmless(s.sig))
			return fail(-EFAULT, "task %d: injected code in thread %d got signal %d",
				    v->task->pid, v->tid, s.sig);
		r = inside_resume(v, !s.event && s.sig == SIGSTOP ? SIGSTOP : 0);
		if (r < 0 && r != -ESRCH)
			return fail(r, "task %d: continue thread %d", v->task->pid, v->tid);
	}
}

/* A call that was begun is carried on as long as there is any way to. */
static int resume_call(const struct victim_thread *v, int sig)
{
	int r = trace_syscall(v->tid, sig);

	return r < 0 && r != -ESRCH ? trace_syscall(v->tid, sig) : r;
}

/* Runs to the exit of the system call that the registers are about to make. */
static int run_call(struct dump *d, struct victim_thread *v, int64_t *ret)
{
	struct user_regs_struct regs;
	uint64_t end = until(d);
	int r, sig = 0;

	for (int syscall_stops = 0; syscall_stops < 2;) {
		struct trace_stop s;

		r = resume_call(v, sig);
		r = r < 0 ? r : stopped_wait(v->tid, end, &s);
		if (r == -ECHILD || r == -ESRCH || (r >= 0 && s.what == TRACE_EXITED))
			return lost(v);
		if (r < 0)
			return fail(r, "task %d: injected call in thread %d", v->task->pid, v->tid);
		syscall_stops += !s.event && s.sig == TRACE_SYSCALL_STOP;
		sig = !s.event && s.sig == SIGSTOP ? SIGSTOP : 0;
	}
	r = trace_get_regset(v->tid, NOTE_PRSTATUS, &regs, sizeof(regs));
	if (r < 0)
		return fail(r, "task %d: registers of thread %d", v->task->pid, v->tid);
	*ret = regs_result(&regs);
	return 0;
}

static int call_mmap(struct dump *d, struct victim_mm *mm, struct victim_thread *v)
{
	const uint64_t a[6] = { mm->blob,
				mm->blob_len,
				PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
				(uint64_t)-1,
				0 };
	struct user_regs_struct regs = v->live;
	int64_t result = 0;
	int r;

	frame_call(&regs, mm->gadgets.call, frames_chain(mm, v), SYS_mmap, a);
	r = inside_leave_home(v, &regs);
	if (r < 0)
		return r;
	mm->keeper = v; /* from here on it may be mapped, and is unmapped at the end in any case */
	r = run_call(d, v, &result);
	if (r < 0 || result == (int64_t)mm->blob)
		return r;
	mm->keeper = NULL;
	if (result == -EACCES || result == -EPERM)
		return refuse(&d->blockers, v->task->pid, "address space",
			      "it forbids code that can be written (PR_SET_MDWE)", NULL);
	return fail(result < 0 ? result : -EFAULT,
		    "task %d: map %" PRIu64 " bytes for injected code", v->task->pid, mm->blob_len);
}

/*
 * A thread in which a dump died is on its way home for an instant, or, when it is stopped, until it
 * is continued. What it shows are not its own registers, and it needs what that dump has left.
 */
static bool on_its_way(const struct victim_mm *mm, const struct victim_thread *v)
{
	uint64_t ip = regs_ip(&v->live);

	return *v->mm == mm && (ip - mm->gadgets.tail < GADGET_TAIL_BYTES ||
				ip - mm->orphan_blob < mm->orphan_blob_len);
}

static int refuse_unfinished(struct dump *d, struct victim_mm *mm)
{
	bool found = false;

	for (struct victim_thread *v = d->victims->in_mm[mm->task->index]; v; v = v->next_in_mm)
		found |= v->thread && !v->thread->dead && on_its_way(mm, v);
	if (!mm->gadgets.tail || !found)
		return 0;
	mm->gadgets = (struct gadgets){ 0 }; /* they stay */
	return refuse(&d->blockers, mm->task->pid, "process",
		      "a dump of it was killed, and it has not recovered from that yet",
		      "try again; if it is stopped, continue it for a moment (SIGCONT)");
}

int inside_survey(struct dump *d, struct victim_mm *mm, bool hole)
{
	int r;

	read_ahead_disturb(d->ahead, mm->task->index);
	r = gadget_survey(d, mm, hole);
	r = r < 0 || mm->gadgets.call ? r : gadget_prepare(d, mm);
	return r < 0 ? r : refuse_unfinished(d, mm);
}

static int place_blob(struct dump *d, struct victim_mm *mm, uint32_t program_len)
{
	uint64_t len = PROG_AREA_START + program_len + BLOB_STACK_BYTES;
	int r = inside_survey(d, mm, true);

	len = len < BLOB_BYTES_MIN ? BLOB_BYTES_MIN : (len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	if (r < 0)
		return r;
	if (mm->hole_len < len)
		return refuse(&d->blockers, mm->task->pid, "address space",
			      "it has no room for injected code", NULL);
	r = frames_for_blob(d, mm);
	mm->blob = mm->hole_end - len;
	mm->blob_len = len;
	return r;
}

int inside_map(struct dump *d, struct victim_mm *mm, struct victim_thread *v, uint32_t program_len)
{
	int r = inside_prepare(d, v);

	r = r < 0 ? r : place_blob(d, mm, program_len);
	r = r < 0 ? r : frames_write(mm, v, true);
	r = r < 0 ? r : call_mmap(d, mm, v);
	if (r < 0 && mm->keeper == v)
		return r;
	if (r < 0) {
		mm->blob_len = 0;
		if (!v->gone)
			(void)inside_go_home(v); /* tried again at the release */
		return r;
	}
	mm->area = arena_alloc(&d->arena, mm->blob_len);
	r = trace_write(v->tid, mm->blob, blob_start, (size_t)(blob_end - blob_start));
	return r < 0 ? fail(r, "task %d: write the blob", v->task->pid) : 0;
}

int inside_become_keeper(struct dump *d, struct victim_mm *mm, struct victim_thread *v)
{
	struct user_regs_struct regs;
	struct victim_thread *before = mm->keeper && !mm->keeper->gone ? mm->keeper : NULL;
	int r = mm->keeper == v ? 0 : inside_prepare(d, v);

	if (r < 0 || mm->keeper == v)
		return r;
	for (int i = 0; i < FRAME_SLOTS; i++)
		if (mm->slot[i] && (mm->slot[i]->gone || mm->slot[i] != before))
			mm->slot[i] = NULL;
	r = frames_write(mm, v, false);
	if (r < 0)
		return r;
	regs = leaning(mm, v);
	r = inside_leave_home(v, &regs);
	r = r < 0 ? r : frames_hand_over(mm, before, v);
	if (r < 0) {
		(void)inside_go_home(v); /* tried again at the release */
		return r;
	}
	mm->keeper = v;
	return before ? inside_go_home(before) : 0;
}

int inside_unmap(struct dump *d, struct victim_mm *mm)
{
	struct victim_thread *v = mm->keeper;
	const uint64_t a[6] = { mm->blob, mm->blob_len };
	struct user_regs_struct regs = v->live;
	int64_t result = 0;
	int r;

	frame_call(&regs, mm->gadgets.call, inside_way_home(mm, v), SYS_munmap, a);
	r = set_regs(v, &regs);
	r = r < 0 ? r : run_call(d, v, &result);
	if (r < 0 || result < 0)
		return r < 0 ? r : fail(result, "task %d: unmap injected code", v->task->pid);
	mm->blob_len = 0;
	mm->keeper = NULL;
	return inside_go_home(v);
}
