/*
 * Programs inside stopped tasks. Those that only ask run as lists of calls, many threads and
 * processes at a time (calls.c). For all others, and where that is not possible: map the blob,
 * write the program behind it, let the thread run from the first operation to the marker, read the
 * answers, and take all of it out again. Every program is extended by the way home for the case
 * that nobody listens any more: the marker to itself, ignored then, and the jump out of the blob
 * that unmaps it and restores the thread from its frame.
 */
#include "core/stop/victim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/time.h"
#include "core/stop/calls.h"
#include "core/stop/inside.h"
#include "core/stop/frames.h"
#include "core/stop/gadget.h"
#include "core/stop/regs.h"
#include "kernel/proc-stat.h"
#include "kernel/proc-status.h"
#include "kernel/read-ahead.h"
#include "kernel/sys.h"

enum { NOTE_PRSTATUS = 1, TAIL_OPS = 2, ROUND = 32 };
static const uint64_t halt_ns = 2000000000;

static int mm_open(struct dump *d, struct task *t, struct victim_mm **ret)
{
	struct victim_mm *mm = d->victims->mm[t->mm];

	if (!mm) {
		mm = arena_new(&d->arena, struct victim_mm);
		mm->task = d->tree.task.v[t->mm];
		mm->mem_fd = (int)sys(SYS_openat, mm->task->proc_fd, "mem", O_RDWR | O_CLOEXEC, 0);
		if (mm->mem_fd < 0)
			return fail(mm->mem_fd, "task %d: open its memory", t->pid);
		d->victims->mm[t->mm] = mm;
	}
	*ret = mm;
	return 0;
}

static pid_t own_number(const struct proc_ns_pids *p)
{
	return p->v[p->n - 1];
}

static void append_way_home(struct prog *p, const struct victim_mm *mm,
			    const struct victim_thread *v)
{
	const struct proc_status *s = v->thread->status;

	if (p->on_error == UINT32_MAX)
		prog_on_error_here(p);
	prog_where(p, "way home");
	(void)prog_any(
		prog_call(p, SYS_tgkill, own_number(&s->nstgid), own_number(&s->nspid), v->marker));
	(void)prog_append(p, VERB_LEAVE, 0,
			  (const struct prog_arg[6]){
				  prog_imm((int64_t)inside_way_home(mm, v)), prog_imm(SYS_munmap),
				  prog_imm((int64_t)mm->blob), prog_imm((int64_t)mm->blob_len),
				  prog_imm((int64_t)mm->gadgets.call) });
}

static int load(const struct victim_mm *mm, const struct victim_thread *v, struct prog *p)
{
	uint32_t len;
	int r;

	append_way_home(p, mm, v);
	prog_place(p, PROG_AREA_START);
	len = prog_size(p);
	memset(mm->area + AREA_REPORT, 0, sizeof(struct prog_report));
	prog_emit(p, mm->area, mm->blob);
	r = trace_write(v->tid, mm->blob + AREA_REPORT, mm->area + AREA_REPORT,
			PROG_AREA_START - AREA_REPORT + len);
	return r < 0 ? fail(r, "task %d: write a program", v->task->pid) : 0;
}

/* The time of the dump may be over already; this must not fail for that. */
static int stop_inside(struct victim_thread *v)
{
	struct trace_stop s;
	int r = trace_interrupt(v->tid);

	return r < 0 ? r : stopped_wait(v->tid, time_now_ns() + halt_ns, &s);
}

static int execute(struct dump *d, struct victim_mm *mm, struct victim_thread *v,
		   const struct prog *p)
{
	struct user_regs_struct regs = v->live;
	int r;

	frame_jump(&regs, mm->blob, mm->blob + mm->blob_len - 16, mm->blob, p->at);
	r = trace_set_regset(v->tid, NOTE_PRSTATUS, &regs, sizeof(regs));
	r = r < 0 ? r : inside_resume(v, 0);
	if (r < 0)
		return fail(r, "task %d: start injected code in thread %d", v->task->pid, v->tid);
	r = inside_await_marker(d, v);
	if (r < 0 && r != -EFAULT && !v->gone)
		(void)stop_inside(v); /* as far as it got; it leans next */
	if (v->gone)
		return r;
	return inside_lean(mm, v) ?: r;
}

static int judge(const struct victim_mm *mm, const struct victim_thread *v, const struct prog *p)
{
	const struct prog_report *report = (const struct prog_report *)(mm->area + AREA_REPORT);
	int r = trace_read(v->tid, mm->blob + AREA_REPORT, mm->area + AREA_REPORT,
			   PROG_AREA_START - AREA_REPORT + prog_size(p));

	if (r < 0)
		return fail(r, "task %d: read answers", v->task->pid);
	prog_fetch(p, mm->area);
	if (report->error)
		return fail(-report->error, "task %d: thread %d: %s", v->task->pid, v->tid,
			    prog_label(p, report->where));
	return 0;
}

static void follow(struct dump *d, const struct thread *t)
{
	struct victim_thread *v = t->victim;

	if (v->cpu < 0 && t->task->stat)
		v->cpu = t->task->stat->processor;
	stopped_follow(d->victims, v->cpu);
}

static int run(struct dump *d, struct thread *t, struct prog *p)
{
	uint32_t len = prog_size(p) + (TAIL_OPS + 1) * (uint32_t)sizeof(struct prog_op);
	struct victim_thread *v = t->victim;
	struct victim_mm *mm = NULL;
	uint32_t n_op, on_error;
	int r = mm_open(d, t->task, &mm);

	if (r < 0)
		return r;
	follow(d, t);
	if (mm->blob_len && PROG_AREA_START + len + 8192 > mm->blob_len) {
		r = victim_withdraw(d, t->task);
		if (r < 0)
			return r;
	}
	r = mm->blob_len ? inside_become_keeper(d, mm, v) : inside_map(d, mm, v, len);
	n_op = (uint32_t)p->op.n;
	on_error = p->on_error;
	r = r < 0 ? r : load(mm, v, p);
	r = r < 0 ? r : execute(d, mm, v, p);
	r = r < 0 ? r : judge(mm, v, p); /* the layout is that of the program with its way home */
	p->op.n = n_op;
	p->on_error = on_error;
	return r;
}

static int run_in_blob(struct dump *d, const struct victim_job *job)
{
	struct fault_place before = fault_enter(FAULT_VICTIM, (int)job->thread->task->index);
	int r = run(d, job->thread, job->prog);

	fault_leave(before);
	return r;
}

static struct victim_mm *mm_of(const struct dump *d, const struct victim_job *job)
{
	return d->victims->mm[job->thread->task->mm];
}

/* Whether this address space is asked by lists. */
static int by_lists(struct dump *d, struct victim_mm *mm, bool *ret)
{
	int r = 0;

	*ret = false;
	if (mm->needs_blob || mm->blob_len)
		return 0;
	r = mm->gadgets.call ? 0 : inside_survey(d, mm, false);
	mm->needs_blob = !mm->gadgets.list;
	*ret = r >= 0 && !mm->needs_blob;
	return r;
}

static void make_room(struct dump *d, size_t len)
{
	struct victim_tree *vt = d->victims;

	if (len > vt->buffer_len) {
		vt->buffer = arena_alloc(&d->arena, 2 * len);
		vt->buffer_len = 2 * len;
	}
}

/*
 * The part of the frames that a round may use: all of it when everything fits, else the halves in
 * turn, so that a round is prepared while the one before is inside. Empty: that has to end first.
 */
static void choose_part(struct victim_mm *mm, uint32_t first, uint32_t all, uint32_t *ret_at,
			uint32_t *ret_end)
{
	uint32_t half = mm->frames_len / 2 & ~63u;

	*ret_at = 0;
	*ret_end = mm->frames_len;
	if (all <= mm->frames_len || half < first) {
		*ret_end = mm->n_inside ? 0 : mm->frames_len;
	} else {
		*ret_at = mm->second_half ? half : 0; /* the head of all is written first */
		*ret_end = mm->second_half ? mm->frames_len : half;
		mm->second_half = !mm->second_half;
	}
}

/*
 * Places as many jobs of one address space as there is room for; yields how many. 0: the round
 * before has to end first, or there is no room at all.
 */
static int place(struct dump *d, const struct victim_job *job, size_t n, struct calls *ret)
{
	struct victim_mm *mm = mm_of(d, job);
	uint32_t all = 0, at, end;
	size_t k = 0;
	int r;

	for (; k < n && job[k].thread->task->mm == job->thread->task->mm; k++) {
		ret[k] = (struct calls){ .thread = job[k].thread, .prog = job[k].prog };
		calls_measure(&ret[k]);
		make_room(d, ret[k].len);
		all += ret[k].len;
	}
	r = mm->n_inside ? 0 : frames_choose(d, mm, ret[0].len, all);
	mm->needs_blob = r >= 0 && !mm->frames; /* its frames are smaller */
	if (r < 0 || mm->needs_blob)
		return r;
	choose_part(mm, ret[0].len, all, &at, &end);
	for (n = k, k = 0; k < n && at + ret[k].len <= end; k++) {
		ret[k].at = mm->frames + at;
		at += ret[k].len;
	}
	return (int)k;
}

/* Some jobs of the address space that the first one belongs to. */
static int start_some(struct dump *d, const struct victim_job *job, size_t n, struct calls *c)
{
	struct fault_place before = fault_enter(FAULT_VICTIM, (int)job->thread->task->index);
	int k = place(d, job, n, c), r = k < 0 ? k : 0;

	for (int i = 0; i < k && r >= 0; i++)
		r = calls_start(d, mm_of(d, job), &c[i], d->victims->buffer);
	fault_leave(before);
	return r < 0 ? r : k;
}

/*
 * Starts jobs in as many address spaces as one round takes; yields how many. 0: try again when the
 * round before has ended, or the first job needs the blob.
 */
static int start_round(struct dump *d, const struct victim_job *job, size_t n, struct calls *c,
		       bool *ret_blob)
{
	size_t done = 0;

	while (done < n && done < ROUND) {
		size_t left = n - done < ROUND - done ? n - done : ROUND - done;
		bool lists;
		int r = by_lists(d, mm_of(d, job + done), &lists);

		*ret_blob = r >= 0 && !lists && !done;
		if (r >= 0 && !lists)
			break;
		r = r < 0 ? r : start_some(d, job + done, left, c + done);
		if (r < 0)
			return r;
		done += (size_t)r;
		if (!r ||
		    (done < n && job[done].thread->task->mm == job[done - 1].thread->task->mm))
			break; /* its frames are full */
	}
	return (int)done;
}

/*
 * When the last list of an address space has ended, what we put there goes at once: a helper waits
 * to look at it.
 */
static int leave_space(struct dump *d, struct victim_mm *mm, const struct victim_mm *next)
{
	return d->ahead && !mm->n_inside && !mm->needs_blob && mm != next
		       ? victim_withdraw(d, mm->task)
		       : 0;
}

/* `next`: the address space of the job that is started next; NULL: none. */
static int finish_round(struct dump *d, struct calls *c, const struct victim_mm *next)
{
	int r = 0;

	for (size_t i = 0; i < ROUND; i++) {
		struct victim_mm *mm = c[i].started ? d->victims->mm[c[i].thread->task->mm] : NULL;
		struct fault_place before;
		int e;

		if (!mm)
			continue;
		before = fault_enter(FAULT_VICTIM, (int)c[i].thread->task->index);
		e = calls_finish(d, mm, &c[i], d->victims->buffer);
		e = e < 0 ? e : leave_space(d, mm, next);
		fault_leave(before);
		c[i].started = false;
		r = r < 0 || e >= 0 ? r : e;
	}
	return r;
}

static int by_space(const void *a, const void *b)
{
	const struct thread *x = ((const struct victim_job *)a)->thread;
	const struct thread *y = ((const struct victim_job *)b)->thread;

	if (x->task->mm != y->task->mm)
		return x->task->mm < y->task->mm ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* While the threads of one round run, the next one is prepared. */
static int run_rounds(struct dump *d, const struct victim_job *job, size_t n)
{
	struct calls c[2][ROUND] = { 0 };
	const struct victim_mm *next;
	bool blob, odd = false;
	int r = 0, k, e;

	for (size_t i = 0; i < n && r >= 0; i += (size_t)k, odd = !odd) {
		k = start_round(d, job + i, n - i, c[odd], &blob);
		next = k >= 0 && i + (size_t)k < n ? mm_of(d, job + i + k) : NULL;
		e = finish_round(d, c[!odd], next);
		r = k < 0 ? k : e;
		if (r >= 0 && blob) {
			r = run_in_blob(d, &job[i]);
			k = 1;
		}
	}
	e = finish_round(d, c[0], NULL);
	r = r < 0 ? r : e;
	e = finish_round(d, c[1], NULL);
	return r < 0 ? r : e;
}

int victim_run_all(struct dump *d, struct victim_job *job, size_t n)
{
	struct victim_mm *mm = NULL;

	qsort(job, n, sizeof(*job), by_space);
	for (size_t i = 0; i < n; i++) {
		int r = mm_open(d, job[i].thread->task, &mm);

		if (r < 0)
			return r;
		mm->needs_blob |= !calls_expressible(job[i].prog);
	}
	if (n == 1)
		follow(d, job->thread);
	return run_rounds(d, job, n);
}

int victim_run(struct dump *d, struct thread *t, struct prog *p)
{
	return victim_run_all(d, &(struct victim_job){ t, p }, 1);
}

static int by_cpu(const void *a, const void *b)
{
	const struct thread *x = ((const struct victim_job *)a)->thread;
	const struct thread *y = ((const struct victim_job *)b)->thread;

	if (x->victim->cpu != y->victim->cpu)
		return x->victim->cpu < y->victim->cpu ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/*
 * How mappings to come are locked shows on the blob alone. Without one, a list has found out
 * whether they are at all, and then the blob is mapped after all.
 */
int victim_lock_future(struct dump *d, const struct task *t, bool *ret_look)
{
	struct victim_mm *mm = d->victims->mm[t->mm];
	struct prog nothing;
	int r = 0;

	*ret_look = false;
	if (!mm || (!mm->blob_len && mm->lock_future == LOCK_NONE))
		return 0;
	if (!mm->blob_len) {
		mm->needs_blob = true;
		prog_init(&nothing, &d->arena, t->index);
		prog_call0(&nothing, SYS_getpid);
		r = run_in_blob(d, &(struct victim_job){ task_main(t), &nothing });
	}
	*ret_look = r >= 0;
	return r;
}

static struct victim_thread *any_thread(struct dump *d, const struct victim_mm *mm)
{
	for (struct victim_thread *v = d->victims->in_mm[mm->task->index]; v; v = v->next_in_mm)
		if (!v->gone)
			return v;
	return NULL;
}

static int withdraw(struct dump *d, struct victim_mm *mm)
{
	struct victim_thread *v;
	int r = 0;

	if (mm->blob_len && (!mm->keeper || mm->keeper->gone)) {
		v = any_thread(d, mm);
		if (!v) {
			mm->blob_len = 0; /* everybody in there is dead */
			return 0;
		}
		r = inside_become_keeper(d, mm, v);
	}
	if (mm->keeper)
		stopped_follow(d->victims, mm->keeper->cpu);
	if (r >= 0 && mm->blob_len)
		r = inside_unmap(d, mm);
	for (v = d->victims->in_mm[mm->task->index]; v && r >= 0; v = v->next_in_mm)
		if (v->away && !v->gone)
			r = inside_go_home(v);
	r = r < 0 ? r : frames_clear(mm);
	r = r < 0 ? r : gadget_remove(mm);
	if (r >= 0)
		read_ahead_settle(d->ahead, mm->task->index);
	return r;
}

int victim_withdraw(struct dump *d, struct task *t)
{
	struct fault_place before = fault_enter(FAULT_VICTIM, (int)t->index);
	struct victim_mm *mm = d->victims->mm[t->mm];
	int r = mm ? withdraw(d, mm) : 0;

	fault_leave(before);
	return r;
}

int victim_withdraw_all(struct dump *d)
{
	struct victim_job *job = arena_array(&d->arena, struct victim_job, d->tree.task.n);
	size_t n = 0;
	int r = 0;

	vec_foreach(t, &d->tree.task)
		if ((*t)->state != TASK_ZOMBIE && (*t)->mm == (*t)->index)
			job[n++].thread = task_main(*t);
	qsort(job, n, sizeof(*job), by_cpu);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = victim_withdraw(d, job[i].thread->task);
	stopped_follow(d->victims, -1);
	return r;
}

bool victim_rseq(const struct thread *t, struct trace_rseq *ret)
{
	if (!t->victim || !t->victim->rseq_known)
		return false;
	*ret = t->victim->rseq;
	return true;
}

bool victim_dispatch_off(const struct thread *t)
{
	return t->victim && t->victim->dispatch_off;
}

int victim_memory(const struct dump *d, const struct task *t)
{
	const struct victim_mm *mm = d->victims->mm[t->mm];

	return mm ? mm->mem_fd : -1;
}

void victim_blob_range(const struct task *t, uint64_t *ret_start, uint64_t *ret_len)
{
	const struct thread *main = task_main(t);
	const struct victim_mm *mm =
		main && main->victim && main->victim->mm ? *main->victim->mm : NULL;

	*ret_start = mm ? mm->blob : 0;
	*ret_len = mm ? mm->blob_len : 0;
}
