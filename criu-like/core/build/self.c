/*
 * The life of a restored process before the blob: it is born, arms PDEATHSIG so that it cannot
 * outlive the tool, makes its children at the right moment between fork and setsid, joins its
 * group, applies its own slice (directories, descriptors, files of its mappings) and enters the
 * blob. Stand-ins end when the groups are complete, zombies when everything is restored.
 *
 * Children of other threads than the first are made by those: such a thread is there before the
 * blob, works for the first one while that waits, and enters the blob before it.
 *
 * Every failure is reported where it happens; then the report page is marked and the coordinator
 * kills the rest.
 */
#include "core/build/self.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "core/build/area.h"
#include "core/build/attach.h"
#include "core/file/file.h"
#include "core/memory/memory.h"
#include "core/build/program.h"
#include "core/task-kinds.h"
#include "kernel/clone.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

enum { HOST_STACK_BYTES = 256 * 1024 };

enum { TRIES = 1000 };

struct sharer {
	struct restore *r;
	struct birth *b;
	uint32_t entered; /* futex: it no longer uses the maker's memory */
};

/* A thread that has children of its own, before the blob. One of the two runs at a time. */
enum { TURN_FIRST, TURN_EARLY };
struct early {
	struct restore *r;
	const struct thread *thread;
	struct birth *make; /* what it is to make; NULL: go */
	uint32_t turn;      /* futex */
	int result;
};
struct early_threads {
	VEC(struct early *) v;
};

static _Noreturn void live(struct restore *r, struct birth *b);

static _Noreturn void give_up(struct restore *r)
{
	area_fail(r);
	_exit(1);
}

static uint64_t clone_flags(const struct birth *b)
{
	return b->clone_flags | (b->maker != b->parent && !b->orphan ? CLONE_PARENT : 0);
}

/* A number stays taken for an instant after its last thread was reaped, and no call tells when. */
static long clone_numbered(pid_t pid, uint64_t flags, int exit_signal)
{
	const struct timespec millisecond = { 0, 1000000 };
	long r = clone_process(pid, flags, exit_signal);

	for (int i = 0; i < TRIES && r == -EEXIST; i++) {
		(void)sys(SYS_nanosleep, &millisecond, NULL); /* only a pause */
		r = clone_process(pid, flags, exit_signal);
	}
	return r;
}

static int make(struct restore *r, struct birth *b)
{
	uint64_t flags = clone_flags(b);
	long pid = clone_numbered(b->pid, flags, flags & CLONE_PARENT ? 0 : b->exit_signal);

	if (!pid)
		live(r, b);
	return pid < 0 ? fail(pid, "make process %d", b->pid) : 0;
}

/* Works for the first thread, which waits meanwhile: they share libc. Then it enters the blob. */
static _Noreturn void early_live(void *arg)
{
	struct early *e = arg;
	struct restore *r = e->r;
	const struct thread *t = e->thread;

	for (;;) {
		while (__atomic_load_n(&e->turn, __ATOMIC_ACQUIRE) != TURN_EARLY)
			(void)sys(SYS_futex, &e->turn, FUTEX_WAIT, TURN_FIRST, 0, 0,
				  0); /* judged by the loop */
		if (!e->make)
			break;
		e->result = make(r, e->make);
		__atomic_store_n(&e->turn, TURN_FIRST, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&e->turn, TURN_FIRST, __ATOMIC_RELEASE);
	blob_enter(r->area, program_of(r, t), r->area + program_stack(r, t) + AREA_STACK_BYTES);
}

static int early_start(struct restore *r, const struct thread *t, struct early_threads *all)
{
	struct early *e = arena_new(&r->arena, struct early);
	long stack = sys(SYS_mmap, 0, HOST_STACK_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long k;

	if (stack < 0)
		return fail(stack, "map a stack");
	*e = (struct early){ .r = r, .thread = t, .turn = TURN_FIRST };
	*vec_push(&r->arena, &all->v) = e;
	k = clone_sharing(t->tid, THREAD_FLAGS, 0, (void *)stack, HOST_STACK_BYTES, early_live, e);
	return k < 0 ? fail(k, "make thread %d", t->tid) : 0;
}

static int early_start_all(struct restore *r, const struct birth *b, struct early_threads *all)
{
	int k = 0;

	for (size_t i = 1; b->task && i < b->task->thread.n && !k; i++)
		if (b->task->thread.v[i]->early)
			k = early_start(r, b->task->thread.v[i], all);
	return k;
}

static int early_turn(struct early *e, struct birth *make)
{
	e->make = make;
	__atomic_store_n(&e->turn, TURN_EARLY, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, &e->turn, FUTEX_WAKE, 1, 0, 0, 0); /* it may not sleep yet */
	while (__atomic_load_n(&e->turn, __ATOMIC_ACQUIRE) != TURN_FIRST)
		(void)sys(SYS_sched_yield); /* always succeeds */
	return make ? e->result : 0;
}

static int make_by_thread(const struct early_threads *early, struct birth *b)
{
	vec_foreach(e, &early->v)
		if ((*e)->thread == b->by)
			return early_turn(*e, b);
	return fail(-ESRCH, "no thread to make process %d", b->pid);
}

static int make_all(struct restore *r, const struct birth *b, bool before_setsid,
		    const struct early_threads *early)
{
	int k = 0;

	for (size_t i = 0; !k && i < b->make.n; i++) {
		struct birth *m = b->make.v[i];

		if (m->before_setsid == before_setsid && !(m->clone_flags & CLONE_VM) && !m->heir)
			k = m->by ? make_by_thread(early, m) : make(r, m);
	}
	return k;
}

/* PDEATHSIG misses a parent that died before: then this process has another parent already. */
static int arm_pdeathsig(struct restore *r, const struct birth *b)
{
	long k = sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	if (k < 0)
		return fail(k, "bind the process to the tool");
	if (b->index == 0 && r->opt->sibling)
		return 0; /* seized at birth instead */
	return sys(SYS_getppid) == (b->index ? b->parent->pid : r->coordinator)
		       ? 0
		       : fail(-ESRCH, "the parent of process %d ended", b->pid);
}

static int found_session(struct restore *r, const struct birth *b)
{
	struct early_threads early = { 0 };
	long k = b->subreaper ? sys(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) : 0;

	if (k < 0)
		return fail(k, "become a subreaper");
	k = b->lead_group ? sys(SYS_setpgid, 0, 0) : 0;
	if (k < 0)
		return fail(k, "found process group %d", b->pid);
	k = early_start_all(r, b, &early) ?: make_all(r, b, true, &early);
	if (k)
		return (int)k;
	k = b->setsid ? sys(SYS_setsid) : 0;
	if (k < 0)
		return fail(k, "found session %d", b->pid);
	if (b->setsid && b->task)
		k = task_kinds_session(&(struct self){ &r->arena, r, b->task }, SESSION_FOUNDED);
	else
		k = 0;
	k = k ?: make_all(r, b, false, &early);
	if (k)
		return (int)k;
	vec_foreach(e, &early.v)
		(void)early_turn(*e, NULL); /* nothing to make: goes to the blob */
	k = b->unshare_flags ? sys(SYS_unshare, b->unshare_flags) : 0;
	return k < 0 ? fail(k, "leave what only its children share") : 0;
}

/* Processes that pass GROUPED: not stand-ins, and not those that are made later: by who shares
 * memory with them, or as heirs, born in the group of their parent. */
static uint32_t groupers(const struct restore *r)
{
	return r->births->n_task - r->births->n_mm_shared - r->births->n_heir;
}

static int join_group(struct restore *r, const struct birth *b)
{
	long k;

	k = sys(SYS_getpgid, 0);
	if (k < 0)
		return fail(k, "ask for the process group");
	if (k == b->pgid)
		return 0;
	k = area_wait(r, WORD_FORKED, r->births->n_fork);
	if (!k && b->lead_group)
		k = area_wait(r, WORD_GROUPED, groupers(r) - r->births->n_leave_group);
	if (k)
		return (int)k;
	k = sys(SYS_setpgid, 0, b->pgid);
	return k < 0 ? fail(k, "join process group %d", b->pgid) : 0;
}

static int reap_stand_ins(const struct birth *b)
{
	for (size_t i = 0; i < b->make.n; i++) {
		struct birth *s = b->make.v[i];
		long k = s->task ? s->pid : sys(SYS_wait4, s->pid, NULL, __WALL, NULL);

		if (k != s->pid)
			return fail(k, "wait for stand-in %d", s->pid);
	}
	return 0;
}

static _Noreturn void stand_in(struct restore *r)
{
	_exit(area_wait(r, WORD_GROUPED, groupers(r)) ? 1 : 0);
}

/* Its uid goes into the SIGCHLD and the siginfo of waitid, so it is set before it dies. */
static int become_owner(const struct task *t)
{
	long k = sys(SYS_setresgid, t->gid[0], t->gid[1], t->gid[2]);

	k = k < 0 ? k : sys(SYS_setresuid, t->uid[0], t->uid[1], t->uid[2]);
	return k < 0 ? fail(k, "give zombie %d its user and group", t->pid) : 0;
}

static _Noreturn void die(struct restore *r, const struct task *t)
{
	int sig = (int)(t->exit_status & 0x7f);
	uint64_t own = sig ? SIGNAL_BIT(sig) : 0;
	long k;

	(void)sys(SYS_close_range, 0, ~0u, 0); /* nothing of it matters any more */
	if (area_wait(r, WORD_DIE, 1))
		_exit(1);
	k = sys(SYS_prctl, PR_SET_NAME, t->comm);
	if (k < 0) {
		(void)fail(k, "name zombie %d", t->pid); /* its caller is a process that ends */
		give_up(r);
	}
	if (become_owner(t))
		give_up(r);
	signal_no_core();
	k = signal_pose(t->sigblk & ~own, t->sigign & ~own, t->sigcgt & ~own);
	if (k < 0) {
		(void)fail(k, "set the signals of zombie %d", t->pid); /* as above */
		give_up(r);
	}
	if (!sig)
		_exit((int)(t->exit_status >> 8 & 0xff));
	(void)sys(SYS_kill, sys(SYS_getpid), sig); /* does not come back */
	_exit(1);
}

static _Noreturn void enter(struct restore *r, const struct task *t)
{
	const struct thread *leader = t->thread.v[0];

	blob_enter(r->area, program_of(r, leader),
		   r->area + program_stack(r, leader) + AREA_STACK_BYTES);
}

static int apply(struct restore *r, const struct task *t)
{
	struct self s = { &r->arena, r, t };
	int k = area_wait(r, WORD_GO, 1);

	if (!k && t->sid == t->pid)
		k = area_wait(r, WORD_GROUPED, groupers(r));
	k = k ?: task_kinds_session(&s, SESSION_GROUPED);
	k = k ?: files_begin(&s);
	k = k ?: memory_apply(&s); /* before what it copies from is closed */
	files_end(&s);
	k = k ?: files_apply(&s);
	return k ?: task_kinds_apply(&s); /* last: the root directory may change */
}

static _Noreturn void sharer_live(void *arg)
{
	struct sharer *s = arg;
	struct restore *r = s->r;
	struct birth *b = s->b;

	*area_born(r, b->index) = 1;
	if (arm_pdeathsig(r, b) || found_session(r, b) || join_group(r, b) || apply(r, b->task))
		give_up(r);
	__atomic_store_n(&s->entered, 1, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, &s->entered, FUTEX_WAKE, 1, 0, 0, 0); /* the maker may not sleep yet */
	enter(r, b->task);
}

/*
 * Processes that share our memory use our libc too: one at a time, while we wait. Those with a
 * descriptor table of their own are made while ours still holds all that is to be inherited, those
 * that share it once it is complete.
 */
static int make_sharers(struct restore *r, const struct birth *b, uint64_t files)
{
	const struct timespec look_up = { 0, 20 * 1000 * 1000 };

	for (size_t i = 0; i < b->make.n; i++) {
		struct sharer s = { r, b->make.v[i], 0 };
		uint64_t flags = clone_flags(s.b);
		long k;

		if (!(flags & CLONE_VM) || (flags & CLONE_FILES) != files)
			continue;
		k = sys(SYS_mmap, 0, HOST_STACK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (k < 0)
			return fail(k, "map a stack");
		k = clone_sharing(s.b->pid, flags, flags & CLONE_PARENT ? 0 : s.b->exit_signal,
				  (void *)k, HOST_STACK_BYTES, sharer_live, &s);
		if (k < 0)
			return fail(k, "make process %d", s.b->pid);
		while (!__atomic_load_n(&s.entered, __ATOMIC_ACQUIRE))
			if (area_failed(r))
				return -ECANCELED;
			else
				(void)sys(SYS_futex, &s.entered, FUTEX_WAIT, 0, &look_up, 0,
					  0); /* judged by the loop */
	}
	return 0;
}

static _Noreturn void live(struct restore *r, struct birth *b)
{
	struct self s = { &r->arena, r, b->task };
	bool has_memory = b->task && b->task->state != TASK_ZOMBIE;
	int k;

	*area_born(r, b->index) = 1;
	log_to_buffer(area_log(r));
	(void)fault_enter(FAULT_SELF, b->task ? (int)b->task->index : -1);
	k = b->orphan ? 0 : arm_pdeathsig(r, b);
	k = k ?: has_memory ? memory_premap(&s) : 0;
	k = k ?: found_session(r, b);
	if (k)
		give_up(r);
	area_pass(r, WORD_FORKED, 1);
	if (!b->task)
		stand_in(r);
	if (join_group(r, b))
		give_up(r);
	area_pass(r, WORD_GROUPED, 1);
	if (reap_stand_ins(b) || (b->orphan && arm_pdeathsig(r, b)))
		give_up(r);
	if (b->task->state == TASK_ZOMBIE)
		die(r, b->task);
	if (make_sharers(r, b, 0) || apply(r, b->task) || make_sharers(r, b, CLONE_FILES))
		give_up(r);
	enter(r, b->task);
}

int self_fork_root(struct restore *r)
{
	struct birth *b = r->births->all.v[0];
	uint64_t flags = r->opt->sibling ? CLONE_PARENT : 0;
	long pid;

	r->coordinator = (pid_t)sys(SYS_getpid);
	if (r->coordinator < 0)
		return fail(r->coordinator, "own number");
	pid = clone_numbered(b->pid, flags, flags ? 0 : b->exit_signal);
	if (!pid)
		live(r, b);
	if (pid < 0)
		return fail(pid, "make the root process %d", b->pid);
	return r->opt->sibling ? attach_sibling(r) : 0;
}
