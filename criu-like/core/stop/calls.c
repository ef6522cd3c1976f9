/*
 * Lists of calls. Most programs ask a few dozen questions and look at no answer themselves. They
 * need no interpreter: thirteen instructions beside the way home (gadget-<arch>.c) load six
 * arguments, make the call, put the result in the place of the number, and go on with the next
 * entry. The last two entries are the marker and rt_sigreturn, so a list that nobody watches any
 * more ends at home. Whether a result is a failure is judged afterwards, here.
 *
 * One thread's piece of the frames: [chain][context][vector registers][entries][data]. No other
 * thread needs any of it and nothing is mapped or unmapped, so any number of threads may be inside.
 *
 * Nobody can see from outside whether new mappings are locked (mlockall). So the first list of each
 * address space makes one for a moment and tries to empty it, which a locked one refuses. Its
 * address gets into the entries behind it by process_vm_readv on itself: with one known beforehand,
 * a list that has outlived its tool could hit what another thread has mapped there.
 */
#include "core/stop/calls.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/time.h"
#include "core/prog.h"
#include "core/stop/frames.h"
#include "core/stop/gadget.h"
#include "core/stop/inside.h"
#include "core/stop/regs.h"
#include "kernel/proc-status.h"
#include "kernel/sys.h"

enum { ENTRY_WORDS = 7, END_ENTRIES = 2, PROBE_ENTRIES = 4, PAGE = 4096 };
enum { PROBE_VECTORS = 4, COPIED_BYTES = 16 };
enum { PROBE_MAP, PROBE_COPY, PROBE_EMPTY, PROBE_UNMAP };
static const uint64_t halt_ns = 2000000000;

struct entry {
	int64_t nr; /* and then the result */
	int64_t arg[ENTRY_WORDS - 1];
};

bool calls_expressible(const struct prog *p)
{
	if (p->patch.n || p->started.n)
		return false;
	vec_foreach(op, &p->op)
	{
		if (op->verb != VERB_CALL)
			return false;
		for (int i = 0; i < 6; i++)
			if ((op->kinds >> (2 * i) & 3) > ARG_AREA)
				return false;
	}
	return true;
}

static uint32_t align(uint32_t n, uint32_t to)
{
	return (n + to - 1) & ~(to - 1);
}

void calls_measure(struct calls *c)
{
	size_t n = c->prog->op.n + PROBE_ENTRIES + END_ENTRIES;

	c->list = align(frames_len_one(c->thread->victim), 16);
	c->data = align(c->list + (uint32_t)(n * sizeof(struct entry)), 16);
	c->probe = align(c->data + c->prog->data_len, 16);
	c->len = align(c->probe + PROBE_VECTORS * (uint32_t)sizeof(struct iovec), 64);
}

static pid_t own_number(const struct proc_ns_pids *p)
{
	return p->v[p->n - 1];
}

static struct entry *add_call(struct entry *e, long nr, const int64_t arg[6])
{
	e->nr = nr;
	memcpy(e->arg, arg, sizeof(e->arg));
	return e + 1;
}

/* An operation that is to fail (fault injection) asks nothing. */
static struct entry *add_operation(struct calls *c, uint32_t i, struct entry *e)
{
	const struct prog_op *op = &c->prog->op.v[i];
	int error = fault_operation((int)c->prog->task, i);
	int64_t arg[6];

	for (int k = 0; k < 6; k++)
		arg[k] = op->arg[k] +
			 ((op->kinds >> (2 * k) & 3) == ARG_AREA ? (int64_t)(c->at + c->data) : 0);
	if (error > 0) {
		c->fault = error;
		c->fault_op = i;
	}
	return add_call(e, error < 0 ? SYS_exit_group : error ? SYS_getpid : op->nr, arg);
}

/* A mapping for a moment: behind the question whether it is locked it is gone again. */
static struct entry *add_probe(struct victim_mm *mm, struct calls *c, struct entry *e, char *buffer)
{
	const struct victim_thread *v = c->thread->victim;
	uint64_t first = c->at + (uint64_t)((char *)e - buffer), iov = c->at + c->probe;
	uint64_t part[PROBE_VECTORS] = {
		first + PROBE_EMPTY * sizeof(*e) + offsetof(struct entry, arg),
		first + PROBE_UNMAP * sizeof(*e) + offsetof(struct entry, arg),
		first,
		first,
	};

	mm->lock_prober = c;
	for (int i = 0; i < PROBE_VECTORS; i++)
		((struct iovec *)(buffer + c->probe))[i] =
			(struct iovec){ (void *)(uintptr_t)part[i], sizeof(int64_t) };
	e = add_call(e, SYS_mmap,
		     (int64_t[6]){ 0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 });
	e = add_call(e, SYS_process_vm_readv,
		     (int64_t[6]){ own_number(&v->thread->status->nspid), (int64_t)iov, 2,
				   (int64_t)(iov + 2 * sizeof(struct iovec)), 2 });
	e = add_call(e, SYS_madvise, (int64_t[6]){ -PAGE, PAGE, MADV_DONTNEED });
	return add_call(e, SYS_munmap, (int64_t[6]){ -PAGE, PAGE });
}

static void build(struct victim_mm *mm, struct calls *c, char *buffer)
{
	const struct victim_thread *v = c->thread->victim;
	const struct proc_status *s = c->thread->status;
	struct entry *e = (struct entry *)(buffer + c->list);

	frames_build(mm, v, c->at, buffer);
	for (uint32_t i = 0; i < c->prog->op.n; i++)
		e = add_operation(c, i, e);
	/* A list that is watched call by call may have to be left in the middle. */
	if (v->marker && mm->lock_future == LOCK_UNKNOWN && !mm->lock_prober)
		e = add_probe(mm, c, e, buffer);
	e = add_call(e, SYS_tgkill,
		     (int64_t[6]){ own_number(&s->nstgid), own_number(&s->nspid), v->marker });
	e = add_call(e, SYS_rt_sigreturn, (int64_t[6]){ 0 });
	memset(e, 0, (size_t)(buffer + c->data - (char *)e));
	if (c->prog->data_len)
		memcpy(buffer + c->data, c->prog->data, c->prog->data_len);
}

int calls_start(struct dump *d, struct victim_mm *mm, struct calls *c, char *buffer)
{
	struct victim_thread *v = c->thread->victim;
	struct user_regs_struct regs = v->live;
	int r = inside_prepare(d, v);

	if (r < 0)
		return r;
	build(mm, c, buffer);
	r = trace_write(v->tid, c->at, buffer, c->len);
	if (r < 0)
		return fail(r, "task %d: write questions for thread %d", v->task->pid, v->tid);
	frame_list(&regs, mm->gadgets.list, c->at + FRAME_CHAIN_BYTES, c->at + c->list);
	r = inside_leave_home(v, &regs);
	if (r >= 0) {
		r = inside_resume(v, 0);
		c->started = r >= 0;
		mm->n_inside += r >= 0;
		r = r < 0 ? fail(r, "task %d: start questions in thread %d", v->task->pid, v->tid)
			  : 0;
	}
	if (r < 0)
		(void)inside_go_home(v); /* tried again at the release */
	return r;
}

/* As the interpreter judges. */
static bool failed(const struct prog_op *op, const int64_t arg0, int64_t result)
{
	uint32_t set = op->flags & PROG_ACCEPT ? (uint32_t)op->expect : 0;

	if (op->flags & PROG_ANY)
		return false;
	if (result < 0 && result > -4096) {
		for (; set; set >>= 8)
			if (-result == (int64_t)(set & 0xff))
				return false;
		return true;
	}
	return ((op->flags & PROG_EQUALS) && result != op->expect) ||
	       ((op->flags & PROG_IS_ARG0) && result != arg0);
}

static void learn_of_locking(struct victim_mm *mm, const struct calls *c, const struct entry *probe)
{
	if (mm->lock_prober != c || mm->lock_future != LOCK_UNKNOWN)
		return;
	mm->lock_future = probe[PROBE_MAP].nr > 0 && probe[PROBE_COPY].nr == COPIED_BYTES &&
					  !probe[PROBE_EMPTY].nr
				  ? LOCK_NONE
				  : LOCK_ASK_AGAIN;
}

static int fetch(struct victim_mm *mm, struct calls *c, char *buffer)
{
	const struct prog *p = c->prog;
	const struct entry *e = (const struct entry *)(buffer + c->list);
	pid_t pid = c->thread->task->pid;
	size_t k = 0;

	for (uint32_t i = 0; i < p->op.n; i++) {
		const struct prog_op *op = &p->op.v[i];
		int64_t result = c->fault && c->fault_op == i ? -c->fault : e[i].nr;

		if ((c->fault && c->fault_op == i) || failed(op, e[i].arg[0], result))
			return fail(result < 0 ? (int)result : -EIO, "task %d: thread %d: %s", pid,
				    c->thread->tid, prog_label(p, op->where));
		if (!(op->flags & PROG_STORE) || k == p->result.n ||
		    p->result.v[k].slot != op->slot)
			continue;
		*p->result.v[k++].host = result;
	}
	vec_foreach(o, &p->out)
		memcpy(o->host, buffer + c->data + o->at, o->len_bytes);
	learn_of_locking(mm, c, &e[p->op.n]);
	return 0;
}

/* The time of the dump may be over already; this must not fail for that. */
static void stop_inside(struct victim_thread *v)
{
	struct trace_stop s;

	if (!v->gone && trace_interrupt(v->tid) >= 0)
		(void)stopped_wait(v->tid, time_now_ns() + halt_ns, &s); /* as far as it got */
}

int calls_finish(struct dump *d, struct victim_mm *mm, struct calls *c, char *buffer)
{
	struct victim_thread *v = c->thread->victim;
	int e, r = inside_await_marker(d, v);

	mm->n_inside--;
	if (r < 0 && r != -EFAULT)
		stop_inside(v);
	if (v->gone)
		return r;
	if (r >= 0) {
		r = trace_read(v->tid, c->at + c->list, buffer + c->list, c->len - c->list);
		r = r < 0 ? fail(r, "task %d: read answers", v->task->pid) : 0;
	}
	e = inside_go_home(v);
	r = r < 0 ? r : e;
	return r < 0 ? r : fetch(mm, c, buffer);
}
