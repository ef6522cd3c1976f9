/*
 * The engine of the task kinds. On dump each thread is asked once: the questions of all kinds are
 * one program, run in the thread, and the records are made from its answers and from outside.
 * Restore keeps the records by kind and index. Attributes of shared objects (signal handlers,
 * address space, working directory) have one record, that of the task which has the object first.
 *
 * A kind without `optional` must have a record for everybody: an absent one would leave the
 * restored task with the tool's own value.
 */
#include "core/task-kinds.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/stop/victim.h"
#include "images/image.h"

enum { RECORD_BYTES = 4096 }; /* that are compared */

/* Where in which program the operations of a message are. */
struct staged {
	const void *msg;
	const struct prog *prog;
	struct prog_mark from, to;
};
struct records {
	const void **msg; /* by index of the task or thread; NULL: none */
	struct image *image;
	const void *planned; /* the message that was planned last, without a word */
	struct staged staged[STAGE_COUNT];
	void *memo;
};
struct task_records {
	struct records *of; /* by position in the registry */
	size_t n_task, n_thread;
};

static size_t kind_count(void)
{
	size_t n = 0;

	while (task_kinds[n])
		n++;
	return n;
}

static struct task_records *records_new(struct arena *a, const struct tree *tree)
{
	struct task_records *all = arena_new(a, struct task_records);

	all->n_task = tree->task.n;
	all->n_thread = tree->thread.n;
	all->of = arena_array(a, struct records, kind_count());
	for (size_t k = 0; task_kinds[k]; k++)
		all->of[k].msg = arena_array(a, const void *,
					     task_kinds[k]->scope == SCOPE_TASK ? all->n_task
										: all->n_thread);
	return all;
}

static size_t position(const struct task_kind *k)
{
	size_t i = 0;

	while (task_kinds[i] && task_kinds[i] != k)
		i++;
	return i;
}

const void *task_kinds_record(const struct task_records *all, const struct task_kind *k,
			      uint32_t index)
{
	size_t i = position(k);

	if (!task_kinds[i] || index >= (k->scope == SCOPE_TASK ? all->n_task : all->n_thread))
		return NULL;
	return all->of[i].msg[index];
}

/* Whether this task is the one that speaks for the object of the kind. */
static bool owns(const struct task_kind *k, const struct task *t)
{
	switch (k->object) {
	case OBJECT_SIGHAND: return t->sighand == t->index;
	case OBJECT_MM: return t->mm == t->index;
	case OBJECT_FS: return t->fs == t->index;
	default: return true;
	}
}

/* Whether a record of this kind is made from that live thread. */
static bool concerns(const struct task_kind *k, const struct thread *t)
{
	return k->scope == SCOPE_THREAD || (t == task_main(t->task) && owns(k, t->task));
}

static uint32_t index_of(const struct task_kind *k, const struct thread *t)
{
	return k->scope == SCOPE_THREAD ? t->index : t->task->index;
}

/* --- dump --- */

static int write_record(struct dump *d, size_t k, uint32_t index, ProtobufCMessage *msg)
{
	struct records *of = &d->task_records->of[k];
	int r = of->image ? 0 : image_create(d->set, task_kinds[k]->name, &of->image);

	if (r)
		return r;
	of->msg[index] = msg;
	return image_append(of->image, index, msg);
}

static int dump_record(struct dump *d, size_t k, const struct thread *t, const void *answers)
{
	const struct task_kind *kind = task_kinds[k];
	ProtobufCMessage *msg = arena_alloc(&d->arena, kind->descriptor->sizeof_message);
	int r;

	protobuf_c_message_init(kind->descriptor, msg);
	r = kind->dump(d, t, answers, msg);
	if (r == KIND_NOTHING)
		return 0;
	return r ? r : write_record(d, k, index_of(kind, t), msg);
}

/* One live thread, its program and the answers, by position of the kind. */
struct inquiry {
	struct thread *thread;
	struct prog prog;
	void **answers;
};

static int ask(struct dump *d, struct inquiry *q)
{
	int r = 0;

	prog_init(&q->prog, &d->arena, q->thread->task->index);
	q->answers = arena_array(&d->arena, void *, kind_count());
	for (size_t k = 0; task_kinds[k] && !r; k++) {
		const struct task_kind *kind = task_kinds[k];

		if (!concerns(kind, q->thread))
			continue;
		q->answers[k] = arena_alloc(&d->arena, kind->answer_bytes);
		if (!kind->ask)
			continue;
		prog_where(&q->prog, "ask for %s", kind->name);
		r = kind->ask(d, &q->prog, q->thread, q->answers[k]);
	}
	return r ?: files_ask(d, &q->prog, q->thread);
}

/* The leader ended before its threads, and this thread is the first of those. */
static bool speaks_for_leader(const struct thread *t)
{
	return t->task->state == TASK_DEAD_LEADER && t == task_main(t->task);
}

static int dump_thread(struct dump *d, const struct inquiry *q)
{
	log_scope("task %d", q->thread->tid);
	int r = 0;

	for (size_t k = 0; task_kinds[k] && !r; k++) {
		if (concerns(task_kinds[k], q->thread))
			r = dump_record(d, k, q->thread, q->answers[k]);
		if (!r && task_kinds[k]->outlives && speaks_for_leader(q->thread))
			r = dump_record(d, k, q->thread->task->thread.v[0], q->answers[k]);
		if (r == -ENOTSUP && d->blockers.list.n)
			r = 0;
	}
	return r;
}

static int finish_images(struct dump *d)
{
	int r = 0;

	for (size_t k = 0; task_kinds[k] && !r; k++)
		if (d->task_records->of[k].image)
			r = image_finish(d->task_records->of[k].image);
	return r;
}

int task_kinds_dump(struct dump *d)
{
	struct inquiry *q = arena_array(&d->arena, struct inquiry, d->tree.thread.n);
	struct victim_job *job = arena_array(&d->arena, struct victim_job, d->tree.thread.n);
	size_t n = 0;
	int r = 0;

	d->task_records = records_new(&d->arena, &d->tree);
	vec_foreach(t, &d->tree.thread) {
		if ((*t)->dead || (*t)->task->state == TASK_ZOMBIE || r)
			continue;
		q[n].thread = *t;
		r = ask(d, &q[n]);
		job[n] = (struct victim_job){ *t, &q[n].prog };
		n++;
	}
	r = r ? r : victim_run_all(d, job, n);
	for (size_t i = 0; i < n && !r; i++)
		r = dump_thread(d, &q[i]);
	r = r ? r : finish_images(d);
	return r ? r : d->blockers.list.n ? -ENOTSUP : 0;
}

/* --- restore --- */

/* The live thread that record `index` of the kind is about; NULL: nobody can have it. */
static const struct thread *record_thread(const struct restore *r, const struct task_kind *k,
					  uint32_t index)
{
	const struct thread *t;

	if (index >= (k->scope == SCOPE_TASK ? r->tree.task.n : r->tree.thread.n))
		return NULL;
	t = k->scope == SCOPE_TASK ? task_main(r->tree.task.v[index]) : r->tree.thread.v[index];
	return t && (!t->dead || k->outlives) && t->task->state != TASK_ZOMBIE && concerns(k, t)
		       ? t
		       : NULL;
}

static int read_records(struct restore *r, size_t k)
{
	const struct task_kind *kind = task_kinds[k];
	struct image *image;
	const ProtobufCMessage *msg;
	uint32_t id;
	int n = image_open(r->set, kind->name, &image);

	if (n)
		return n == -ENOENT ? 0 : n;
	while ((n = image_next_alike(image, kind->descriptor, &id, &msg)) > 0) {
		if (!record_thread(r, kind, id))
			return fail(-EPROTO, "image '%s': record %u belongs to nobody", kind->name,
				    id);
		if (r->task_records->of[k].msg[id])
			return fail(-EPROTO, "image '%s': record %u twice", kind->name, id);
		r->task_records->of[k].msg[id] = msg;
	}
	return n;
}

static int plan_record(struct restore *r, size_t k, const struct thread *t)
{
	const struct task_kind *kind = task_kinds[k];
	struct records *of = &r->task_records->of[k];
	const void *msg = of->msg[index_of(kind, t)];
	int n;

	if (!msg && !kind->optional)
		return fail(-EPROTO, "image '%s': no record for thread %d", kind->name, t->tid);
	if (!msg || !kind->plan || (kind->alike && msg == of->planned))
		return 0;
	n = kind->plan(r, t, msg);
	of->planned = n ? NULL : msg;
	return n == -ENOTSUP && r->blockers.list.n ? 0 : n;
}

static int plan_thread(struct restore *r, const struct thread *t)
{
	log_scope("task %d", t->tid);
	int n = 0;

	for (size_t k = 0; task_kinds[k] && !n; k++)
		if (concerns(task_kinds[k], t) && (!t->dead || task_kinds[k]->outlives))
			n = plan_record(r, k, t);
	return n;
}

int task_kinds_plan(struct restore *r)
{
	int n = 0;

	r->task_records = records_new(&r->arena, &r->tree);
	for (size_t k = 0; task_kinds[k] && !n; k++)
		n = read_records(r, k);
	vec_foreach(t, &r->tree.thread)
		if (!n && (*t)->task->state != TASK_ZOMBIE)
			n = plan_thread(r, *t);
	return n ? n : r->blockers.list.n ? -ENOTSUP : 0;
}

int task_kinds_apply(struct self *s)
{
	int n = 0;

	for (size_t k = 0; task_kinds[k] && !n; k++) {
		const struct task_kind *kind = task_kinds[k];
		const void *msg = kind->scope == SCOPE_TASK
					  ? s->r->task_records->of[k].msg[s->task->index]
					  : NULL;

		if (msg && kind->apply)
			n = kind->apply(s, msg);
	}
	return n;
}

static bool same_record(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	uint8_t x[RECORD_BYTES], y[RECORD_BYTES];
	size_t len;

	if (!a || !b || a == b)
		return a == b;
	len = protobuf_c_message_get_packed_size(a);
	if (len > RECORD_BYTES || protobuf_c_message_get_packed_size(b) != len)
		return false;
	(void)protobuf_c_message_pack(a, x); /* len bytes */
	(void)protobuf_c_message_pack(b, y); /* as above */
	return !memcmp(x, y, len);
}

bool task_kinds_inherit(const struct restore *r, const struct task *t, const struct task *from)
{
	for (size_t k = 0; task_kinds[k]; k++) {
		const struct task_kind *kind = task_kinds[k];
		const void *const *msg = r->task_records->of[k].msg;
		bool wanted = kind->session || (kind->apply && msg[t->index]);

		if (wanted && !same_record(msg[t->index], msg[from->index]))
			return false;
	}
	return true;
}

int task_kinds_session(struct self *s, enum session_step step)
{
	int n = 0;

	for (size_t k = 0; task_kinds[k] && !n; k++)
		if (task_kinds[k]->session)
			n = task_kinds[k]->session(
				s, s->r->task_records->of[k].msg[s->task->index], step);
	return n;
}

static bool staged_here(const struct task_kind *k, const struct stage_at *at)
{
	bool leader_only = at->stage == STAGE_INHERIT || at->stage == STAGE_TASK ||
			   at->stage == STAGE_ARM;

	if (k->scope == SCOPE_THREAD)
		return !leader_only && (!at->thread->dead || k->outlives);
	return leader_only || at->thread == at->task->thread.v[0];
}

static bool has_inherited(const struct task_kind *k, const struct stage_at *at)
{
	const void **msg;

	if (!at->from)
		return false;
	msg = at->r->task_records->of[position(k)].msg;
	return same_record(msg[at->task->index], msg[at->from->index]);
}

/* The operations of the message, copied where it was staged for the neighbour. */
static int stage_record(struct prog *p, const struct stage_at *at, size_t k, const void *msg)
{
	const struct task_kind *kind = task_kinds[k];
	struct staged *s = &at->r->task_records->of[k].staged[at->stage];
	int n;

	if (kind->alike && s->msg == msg && prog_repeat(p, s->prog, s->from, s->to))
		return 0;
	*s = (struct staged){ NULL, p, prog_mark(p), { 0 } };
	n = kind->stage(p, at, msg);
	s->to = prog_mark(p);
	s->msg = n ? NULL : msg;
	return n;
}

int task_kinds_stage(struct prog *p, const struct stage_at *at)
{
	int n = 0;

	for (size_t k = 0; task_kinds[k] && !n; k++) {
		const struct task_kind *kind = task_kinds[k];
		const void *msg;

		if (!kind->stage || !staged_here(kind, at) || has_inherited(kind, at))
			continue;
		msg = at->r->task_records->of[k].msg[kind->scope == SCOPE_THREAD ? at->thread->index
										 : at->task->index];
		prog_where_text(p, kind->name);
		n = msg ? stage_record(p, at, k, msg) : 0;
	}
	return n;
}

bool task_kinds_count(const struct restore *r, const struct task *t)
{
	for (size_t k = 0; task_kinds[k]; k++) {
		const struct task_kind *kind = task_kinds[k];
		const void *msg = kind->counts ? r->task_records->of[k].msg[t->index] : NULL;

		if (msg && kind->counts(msg))
			return true;
	}
	return false;
}

int task_kinds_last(struct restore *r, const struct thread *t)
{
	int n = 0;

	for (size_t k = 0; task_kinds[k] && !n; k++) {
		const struct task_kind *kind = task_kinds[k];
		const void *msg = kind->last && concerns(kind, t)
					  ? r->task_records->of[k].msg[index_of(kind, t)]
					  : NULL;

		n = msg ? kind->last(r, t, msg) : 0;
	}
	return n;
}

void *task_kinds_memo(struct restore *r, const struct task_kind *k, size_t len_bytes)
{
	struct records *of;

	if (!r->task_records)
		r->task_records = records_new(&r->arena, &r->tree);
	of = &r->task_records->of[position(k)];
	if (!of->memo)
		of->memo = arena_alloc(&r->arena, len_bytes);
	return of->memo;
}
