/*
 * Puts the program of every thread together: the leader builds the address space, runs what belongs
 * to the process, starts the other threads; then all go through the same stages, with a barrier
 * over the whole tree between them, and park. What the stages contain is up to the kinds.
 */
#include "core/build/program.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "core/build/area.h"
#include "core/build/birth.h"
#include "core/file/file.h"
#include "core/memory/memory.h"
#include "core/task-kinds.h"
#include "kernel/sys.h"

enum { MOST_HELPERS = 8 };

struct program {
	struct prog prog;
	uint32_t stack;
};

struct program_set {
	struct program *of; /* by thread index */
	VEC(struct helper *) helper; /* their programs bear the numbers behind those of threads */
	struct arena arena; /* of what no task needs */
};

uint64_t program_of(const struct restore *r, const struct thread *t)
{
	return r->programs->of[t->index].prog.at;
}

uint64_t program_stack(const struct restore *r, const struct thread *t)
{
	return r->programs->of[t->index].stack;
}

/* Where to look for the next number from, downwards: those at the top are given out last. */
static int highest_tid(struct restore *r, pid_t *ret)
{
	size_t n = r->programs->helper.n;
	struct span text;
	uint64_t most;
	int k;

	if (n)
		return *ret = r->programs->helper.v[n - 1]->tid, 0;
	k = io_slurp_at(&r->arena, -1, "/proc/sys/kernel/pid_max", &text);
	while (!k && text.len && text.p[text.len - 1] == '\n')
		text.len--;
	k = k ?: span_u64(text, 10, &most);
	if (k)
		return fail(k, "read the highest number of a process");
	*ret = (pid_t)most;
	return 0;
}

static bool is_free(pid_t pid)
{
	return sys(SYS_kill, pid, 0) == -ESRCH && sys(SYS_kill, -pid, 0) == -ESRCH;
}

/* A free number that is nobody's in the tree. */
static int unused_tid(struct restore *r, pid_t *ret)
{
	struct map known;
	pid_t pid = 0;
	int k = highest_tid(r, &pid);

	if (k)
		return k;
	map_init(&known, &r->arena);
	vec_foreach(b, &r->births->all)
		map_put(&known, (uint64_t)(*b)->pid, 0, *b);
	vec_foreach(t, &r->tree.thread)
		map_put(&known, (uint64_t)(*t)->tid, 0, *t);
	while (--pid > 1)
		if (!map_get(&known, (uint64_t)pid, 0) && is_free(pid))
			return *ret = pid, 0;
	return fail(-EAGAIN, "no number is left for a thread that helps");
}

int program_helper(struct restore *r, const struct prog *of, struct helper **ret)
{
	struct helper *h = arena_new(&r->arena, struct helper);
	int k;

	if (r->programs->helper.n == MOST_HELPERS)
		return *ret = NULL, 0;
	k = unused_tid(r, &h->tid);
	if (k)
		return k;
	h->prog = arena_new(of->arena, struct prog);
	prog_init(h->prog, of->arena, (uint32_t)(r->tree.thread.n + r->programs->helper.n));
	h->stack = r->area_base + area_take(r, AREA_STACK_BYTES);
	h->stack_bytes = AREA_STACK_BYTES;
	*vec_push(&r->arena, &r->programs->helper) = h;
	*ret = h;
	return 0;
}

static int stage(struct prog *p, struct restore *r, const struct thread *t, enum stage at)
{
	struct stage_at s = { at, r, t->task, t, NULL };
	int k = task_kinds_stage(p, &s);

	if (k || t->task->files != t->task->index)
		return k;
	if (t != t->task->thread.v[0]) {
		files_stage_thread(p, &s);
		return 0;
	}
	return files_stage(p, &s);
}

static int stage_inherit(struct prog *p, struct restore *r, const struct task *t)
{
	const struct birth *b = birth_of(r, t);
	struct stage_at s = { STAGE_INHERIT, r, t, t->thread.v[0],
			      b->heir ? b->maker->task : NULL };

	return task_kinds_stage(p, &s);
}

static void start(struct prog *p, struct restore *r, const struct thread *t, struct clone_args a)
{
	struct program *child = &r->programs->of[t->index];
	struct prog_arg args, tid = prog_in(p, &t->tid, sizeof(t->tid));

	a.stack = r->area_base + child->stack;
	a.stack_size = AREA_STACK_BYTES;
	a.set_tid_size = 1;
	args = prog_in(p, &a, sizeof(a));
	prog_where(p, "start %s %d", a.flags & CLONE_THREAD ? "thread" : "process", t->tid);
	prog_point(p, args, offsetof(struct clone_args, set_tid), tid, 0);
	prog_start(p, args, sizeof(a), &child->prog, t->tid);
}

/* As in self.c: known as born, then bound to the tool, which may have ended meanwhile. */
static void begin_heir(struct prog *p, struct restore *r, const struct birth *b)
{
	const uint8_t yes = 1;
	struct prog_arg to = prog_imm((int64_t)(r->area_base + r->born_at + b->index));

	prog_where(p, "be born");
	prog_copy(p, to, prog_in(p, &yes, 1), 1);
	prog_where(p, "bind the process to the tool");
	prog_vital(prog_call(p, SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
	prog_vital(prog_equals(prog_call0(p, SYS_getppid), b->parent->pid));
}

/* Between the two, those are born that inherit the one and share pages of the other. */
static int build_memory(struct prog *p, struct restore *r, const struct task *t)
{
	const struct birth *b = birth_of(r, t);
	int k = b->heir ? 0 : memory_stage(p, r, t);

	if (b->heir)
		begin_heir(p, r, b);
	k = k ?: stage_inherit(p, r, t);
	vec_foreach(m, &b->make)
		if ((*m)->heir)
			start(p, r, (*m)->task->thread.v[0],
			      (struct clone_args){ .exit_signal = (*m)->exit_signal });
	return k ?: memory_stage_content(p, r, t);
}

static int begin_process(struct prog *p, struct restore *r, const struct task *t)
{
	int k = 0;

	/* They share what is about to be unmapped. */
	if (t->mm != t->index)
		prog_pass(p, WORD_ENTERED);
	else if (r->births->n_mm_shared + r->births->n_early)
		prog_wait(p, WORD_ENTERED, r->births->n_mm_shared + r->births->n_early);
	if (t->mm == t->index)
		k = build_memory(p, r, t);
	if (t->mm == t->index && r->births->n_mm_shared)
		prog_pass(p, WORD_MAPPED);
	if (t->mm != t->index)
		prog_wait(p, WORD_MAPPED, r->births->n_mm);
	if (t->mm != t->index)
		k = stage_inherit(p, r, t);
	k = k ?: stage(p, r, t->thread.v[0], STAGE_TASK);
	for (size_t i = 1; !k && i < t->thread.n; i++)
		if (!t->thread.v[i]->early)
			start(p, r, t->thread.v[i], (struct clone_args){ .flags = THREAD_FLAGS });
	for (size_t i = 1; i < t->thread.n; i++)
		if (t->thread.v[i]->early) {
			prog_pass(p, WORD_THREADS);
			break;
		}
	return k;
}

static void begin_early_thread(struct prog *p, const struct restore *r)
{
	prog_where(p, "wait for the address space");
	prog_pass(p, WORD_ENTERED);
	prog_wait(p, WORD_THREADS, r->births->n_with_early);
}

/* Whatever died during the restore left a SIGCHLD; setting the default action drops it. */
static void drop_sigchld(struct prog *p)
{
	const uint64_t action[4] = { 0 };

	prog_where(p, "drop SIGCHLD of helpers");
	prog_call(p, SYS_rt_sigaction, SIGCHLD, prog_in(p, action, sizeof(action)), 0, 8);
}

/*
 * Credentials of one thread reset what the leader sets then, and all clocks start together. What
 * an heir has in its table others have set.
 */
static bool arms_alone(const struct restore *r, const struct task *t)
{
	return birth_of(r, t)->heir && t->thread.n == 1 && !task_kinds_count(r, t);
}

static int later_stages(struct prog *p, struct restore *r, const struct thread *t)
{
	bool leader = t == t->task->thread.v[0];
	int k = stage(p, r, t, STAGE_THREAD);

	prog_where(p, "wait for all tasks to be restored");
	prog_pass(p, WORD_RESTORED);
	prog_wait(p, WORD_SIGNALS, 1);
	if (leader && t->task->sighand == t->task->index)
		drop_sigchld(p);
	k = k ?: stage(p, r, t, STAGE_SIGNALS);
	prog_where(p, "wait until all are attached");
	prog_pass(p, WORD_SIGNALED);
	prog_wait(p, WORD_CREDS, 1);
	if (leader && t->task->mm == t->task->index)
		k = k ?: memory_stage_last(p, r, t->task);
	k = k ?: stage(p, r, t, STAGE_CREDS);
	prog_where(p, "wait until all have their credentials");
	prog_pass(p, WORD_CREDS_DONE);
	if (leader && !arms_alone(r, t->task))
		prog_wait(p, WORD_ARM, 1);
	if (leader)
		k = k ?: stage(p, r, t, STAGE_ARM);
	return k;
}

static int build(struct restore *r, const struct thread *t)
{
	struct prog *p = &r->programs->of[t->index].prog;
	int k = 0;

	log_scope("task %d", t->tid);
	if (t == t->task->thread.v[0])
		k = begin_process(p, r, t->task);
	if (t->early)
		begin_early_thread(p, r);
	k = k ?: later_stages(p, r, t);
	prog_where(p, "end");
	prog_pass(p, WORD_PARKED);
	if (t->dead)
		prog_call(p, SYS_exit, t->task->exit_status >> 8 & 0xff);
	prog_park(p);
	return k;
}

int programs_build(struct restore *r)
{
	size_t n = r->tree.thread.n;
	int k = 0;

	r->programs = arena_new(&r->arena, struct program_set);
	arena_init(&r->programs->arena);
	r->programs->of = arena_array(&r->arena, struct program, n);
	r->born_at = area_take(r, (uint32_t)r->births->all.n);
	for (size_t i = 0; i < n; i++) {
		prog_init(&r->programs->of[i].prog, &r->programs->arena, (uint32_t)i);
		r->programs->of[i].stack = area_take(r, AREA_STACK_BYTES);
	}
	for (size_t i = 0; !k && i < n; i++) {
		if (i) /* neighbours are alike */
			prog_expect(&r->programs->of[i].prog, &r->programs->of[i - 1].prog);
		k = build(r, r->tree.thread.v[i]);
	}
	for (size_t i = 0; !k && i < n; i++) {
		struct prog *p = &r->programs->of[i].prog;

		prog_place(p, area_take(r, prog_size(p)));
	}
	vec_foreach(h, &r->programs->helper)
		prog_place((*h)->prog, area_take(r, prog_size((*h)->prog)));
	return k;
}

int programs_emit(struct restore *r)
{
	for (size_t i = 0; i < r->tree.thread.n; i++)
		prog_emit(&r->programs->of[i].prog, r->area, r->area_base);
	vec_foreach(h, &r->programs->helper)
		prog_emit((*h)->prog, r->area, r->area_base);
	return 0;
}

void programs_report_failure(const struct restore *r)
{
	const struct prog_report *rep = (const struct prog_report *)(r->area + AREA_REPORT);

	size_t helper = rep->task - r->tree.thread.n;

	if (!rep->error || rep->task >= r->tree.thread.n + r->programs->helper.n)
		return;
	if (rep->task >= r->tree.thread.n) {
		const struct helper *h = r->programs->helper.v[helper];

		(void)fail(-rep->error, "helper %d: %s", h->tid, prog_label(h->prog, rep->where));
		return;
	}
	(void)fail(-rep->error, "task %d: %s", r->tree.thread.v[rep->task]->tid,
		   prog_label(&r->programs->of[rep->task].prog, rep->where));
}

const struct arena *programs_arena(const struct restore *r)
{
	return &r->programs->arena;
}

void programs_free(struct restore *r)
{
	if (r->programs)
		arena_deinit(&r->programs->arena);
}

void programs_print(const struct restore *r, FILE *out)
{
	for (size_t i = 0; i < r->tree.thread.n; i++) {
		const struct thread *t = r->tree.thread.v[i];

		(void)fprintf(out, "program of task %d%s%d\n", t->task->pid,
			      t->tid == t->task->pid ? ", leader " : ", thread ", t->tid);
		prog_print(&r->programs->of[i].prog, out);
	}
	vec_foreach(h, &r->programs->helper) {
		(void)fprintf(out, "program of helper %d\n", (*h)->tid);
		prog_print((*h)->prog, out);
	}
}
