/*
 * Programs inside stopped tasks: map the blob, write the program behind it, let the thread run from
 * the first operation to the marker, read the answers, and take all of it out again. Every program
 * is extended by the way home for the case that nobody listens any more: the marker to itself,
 * ignored then, and the jump out of the blob that unmaps it and restores the thread from its frame.
 */
#include "core/stop/victim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/time.h"
#include "core/stop/inside.h"
#include "core/stop/frames.h"
#include "core/stop/gadget.h"
#include "core/stop/regs.h"
#include "kernel/proc-stat.h"
#include "kernel/proc-status.h"
#include "kernel/sys.h"

enum { NOTE_PRSTATUS = 1, TAIL_OPS = 2 };
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

static int run(struct dump *d, struct thread *t, struct prog *p)
{
	uint32_t len = prog_size(p) + (TAIL_OPS + 1) * (uint32_t)sizeof(struct prog_op);
	struct victim_thread *v = t->victim;
	struct victim_mm *mm = NULL;
	uint32_t n_op, on_error;
	int r = mm_open(d, t->task, &mm);

	if (r < 0)
		return r;
	if (v->cpu < 0 && t->task->stat)
		v->cpu = t->task->stat->processor;
	stopped_follow(d->victims, v->cpu);
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

int victim_run(struct dump *d, struct thread *t, struct prog *p)
{
	struct fault_place before = fault_enter(FAULT_VICTIM, (int)t->task->index);
	int r = run(d, t, p);

	fault_leave(before);
	return r;
}

static int by_cpu(const void *a, const void *b)
{
	const struct thread *x = ((const struct victim_job *)a)->thread;
	const struct thread *y = ((const struct victim_job *)b)->thread;

	if (x->victim->cpu != y->victim->cpu)
		return x->victim->cpu < y->victim->cpu ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

int victim_run_all(struct dump *d, struct victim_job *job, size_t n)
{
	int r = 0;

	qsort(job, n, sizeof(*job), by_cpu);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = victim_run(d, job[i].thread, job[i].prog);
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
	for (int i = 0; i < FRAME_SLOTS && r >= 0; i++)
		if (mm->slot[i] && !mm->slot[i]->gone)
			r = inside_go_home(mm->slot[i]);
	r = r < 0 ? r : frames_clear(mm);
	r = r < 0 ? r : gadget_remove(mm);
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

void victim_blob_range(const struct task *t, uint64_t *ret_start, uint64_t *ret_len)
{
	const struct thread *main = task_main(t);
	const struct victim_mm *mm =
		main && main->victim && main->victim->mm ? *main->victim->mm : NULL;

	*ret_start = mm ? mm->blob : 0;
	*ret_len = mm ? mm->blob_len : 0;
}
