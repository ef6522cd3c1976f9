/*
 * A task's part: its own descriptor table.
 *
 * The coordinator's descriptors go first, so that every number but the parked and the reserved ones
 * is free. Then private descriptions are opened (each lands on the lowest free number, which in a
 * dense table is the right one) and moved to their number at once, shared ones are duplicated from
 * where they were inherited, and only then content and links follow: an epoll set remembers the
 * numbers. At the end everything that is not in the table is closed. Processes that share a table
 * leave it to the first of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/fault.h"
#include "core/file/file-graph.h"
#include "core/file/file-lock.h"
#include "core/file/file-owner.h"
#include "kernel/descriptor.h"

struct number_list {
	VEC(unsigned int) v;
};

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

static void keep_range(struct self *s, struct number_list *keep, const struct number_range *range)
{
	for (unsigned int i = 0; i < range->n; i++)
		*vec_push(s->arena, &keep->v) = range->first + i;
}

/* Closes everything but the given numbers. */
static int close_others(struct number_list *keep)
{
	unsigned int next = 0;
	int e = 0;

	vec_sort(&keep->v, compare);
	vec_foreach(k, &keep->v) {
		if (*k > next && !e)
			e = sys_close_range(next, *k - 1, 0);
		next = *k + 1;
	}
	if (!e)
		e = sys_close_range(next, ~0U, 0);
	return e ? fail(e, "close what the task does not have") : 0;
}

static int start(struct self *s, struct file_table *t)
{
	struct number_list keep = { 0 };

	vec_foreach(range, &t->reserved)
		keep_range(s, &keep, range);
	keep_range(s, &keep, &s->r->files->parked);
	return close_others(&keep);
}

/* The kernel put received descriptors anywhere: one that sits on `number` gets another place. */
static int step_aside(int *fd, size_t n, unsigned int number)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned int)fd[i] != number)
			continue;
		fd[i] = sys_fcntl(fd[i], F_DUPFD_CLOEXEC, 0);
		return fd[i] < 0 ? fail(fd[i], "move a received descriptor") : 0;
	}
	return 0;
}

static int receive_late(struct self *s, struct file_table *t)
{
	int *fd = arena_array(s->arena, int, t->late.n);
	int e = t->late.n ? channel_receive((int)t->channel[1], fd, t->late.n) : 0;

	for (size_t i = 0; i < t->late.n && !e; i++) {
		e = step_aside(fd + i + 1, t->late.n - i - 1, t->late.v[i]->parked);
		t->late.v[i]->o.fd = fd[i];
		if (!e)
			e = object_place(t->late.v[i], t->late.v[i]->parked);
	}
	return e;
}

static bool opened_here(const struct planned *p, const struct file_table *t)
{
	return !p->o.shared && p->first == t;
}

static int open_private(struct opener *op, struct file_table *t)
{
	vec_foreach(p, &op->r->files->order) {
		int e;

		if (!opened_here(*p, t))
			continue;
		e = object_open(op, *p);
		if (!e)
			e = object_place_all(*p, false);
		if (e)
			return e;
	}
	return 0;
}

static int place_numbers(struct file_table *t)
{
	for (size_t i = 0; i < t->msg->n_entry; i++) {
		const FdEntry *entry = t->msg->entry[i];
		struct planned *p = t->entry[i];
		int e;

		if ((unsigned int)p->o.fd == entry->number)
			e = entry->cloexec ? 0 : sys_fcntl(p->o.fd, F_SETFD, 0);
		else
			e = sys_dup3(p->o.fd, (int)entry->number, entry->cloexec ? O_CLOEXEC : 0);
		if (e < 0)
			return fail(e, "put a file at descriptor %u", entry->number);
	}
	return 0;
}

static int fill_private(struct opener *op, struct file_table *t)
{
	vec_foreach(p, &op->r->files->order) {
		int e = opened_here(*p, t) ? object_fill(op, *p) : 0;

		if (e)
			return e;
	}
	return 0;
}

static int finish_table(struct self *s, struct file_table *t)
{
	vec_foreach(p, &s->r->files->order) {
		const struct fd_kind *k = (*p)->o.kind;
		int e;

		if ((*p)->first != t)
			continue;
		(*p)->o.fd = (int)(*p)->number;
		e = k->finish && (*p)->inherited < 0 ? k->finish(s, &(*p)->o, (*p)->o.fd) : 0;
		if (!e && (*p)->inherited < 0)
			e = owner_apply(&(*p)->o, (*p)->o.fd);
		if (e)
			return e;
	}
	return 0;
}

/* The kernel remembers the process that takes a lock: it should be the one that had it. */
static int lock_table_files(struct self *s, struct file_table *t)
{
	vec_foreach(p, &s->r->files->order) {
		int e = 0;

		if ((*p)->o.ofd->n_lock && (*p)->inherited < 0)
			e = lock_take(s, &(*p)->o, (*p)->first == t);
		if (e)
			return e;
	}
	return 0;
}

static int end(struct self *s, struct file_table *t)
{
	struct number_list keep = { 0 };
	int e;

	for (size_t i = 0; i < t->msg->n_entry; i++)
		*vec_push(s->arena, &keep.v) = t->msg->entry[i]->number;
	vec_foreach(range, &t->reserved)
		keep_range(s, &keep, range);
	e = close_others(&keep);
	return e ? e : table_fit(s, t, keep.v.n ? keep.v.v[keep.v.n - 1] + 1 : 0);
}

/* A process that shares our memory may have worked on its own table with the same objects. */
static void find_inherited(const struct file_plan *f)
{
	vec_foreach(p, &f->order)
		if ((*p)->o.shared && !(*p)->o.late)
			(*p)->o.fd = (int)(*p)->parked;
}

static int apply_table(struct self *s, struct file_table *t)
{
	struct opener op = { s->arena, s->r, s->task };
	int e = start(s, t);

	find_inherited(s->r->files);
	if (!e)
		e = receive_late(s, t);
	if (!e)
		e = open_private(&op, t);
	if (!e)
		e = place_numbers(t);
	if (!e)
		e = fill_private(&op, t);
	if (!e)
		e = finish_table(s, t);
	if (!e)
		e = lock_table_files(s, t);
	return e ? e : end(s, t);
}

int files_apply(struct self *s)
{
	struct file_table *t = graph_table(s->r->files, s->task->files);
	struct fault_place place;
	int e;

	if (!t)
		return 0;
	e = table_meet(s, t);
	if (e || s->task->files != s->task->index)
		return e;
	place = fault_enter(FAULT_SELF, (int)s->task->index);
	e = apply_table(s, t);
	fault_leave(place);
	if (!e)
		table_done(t);
	return e;
}

/* --- in the blob ---------------------------------------------------------------------------------
 */

static int stage_objects(struct prog *p, const struct stage_at *at, struct file_table *t)
{
	vec_foreach(o, &at->r->files->order) {
		const struct fd_kind *k = (*o)->o.kind;
		int e;

		if ((*o)->first != t || (*o)->inherited >= 0)
			continue;
		owner_stage(p, at, &(*o)->o, (int)(*o)->number);
		lease_stage(p, at, &(*o)->o, (int)(*o)->number);
		e = !k->stage ? 0 : k->stage(p, at, &(*o)->o, (int)(*o)->number);
		if (e)
			return e;
	}
	return 0;
}

/* Whether the first process that has it is that of the thread: then the others take it there. */
static bool is_taken(const struct restore *r, const struct planned *o)
{
	return r->tree.task.v[o->first->id]->pid == o->o.in_blob;
}

static struct prog_arg take(struct prog *p, const struct planned *o)
{
	struct prog_arg process, fd;

	prog_call(p, SYS_pidfd_open, o->o.in_blob, 0);
	process = prog_keep(p);
	prog_call(p, SYS_pidfd_getfd, process, o->number, 0);
	fd = prog_keep(p);
	prog_call(p, SYS_close, process);
	return fd;
}

/* What can be opened only now takes the numbers that something else kept for it. */
static bool opens_here(const struct stage_at *at, const struct file_table *t,
		       const struct planned *o)
{
	pid_t leader = at->task->thread.v[0]->tid;
	pid_t in = o->first == t && o->o.in_thread ? o->o.in_thread : leader;

	return at->thread->tid == in;
}

static void open_again(struct prog *p, const struct stage_at *at, const struct file_table *t,
		       size_t first)
{
	const struct planned *o = t->entry[first];
	bool own = o->first == t, taken = is_taken(at->r, o);
	struct prog_arg fd;

	if (!opens_here(at, t, o))
		return;
	if (at->stage != (own && taken ? STAGE_THREAD : STAGE_SIGNALS))
		return;
	for (size_t i = 0; i < first; i++)
		if (t->entry[i] == o)
			return; /* that one took all */
	prog_where(p, "open descriptor %" PRIu32, t->msg->entry[first]->number);
	fd = own || !taken ? o->o.kind->again(p, &o->o) : take(p, o);
	for (size_t i = first; i < t->msg->n_entry; i++)
		if (t->entry[i] == o)
			prog_call(p, SYS_dup3, fd, t->msg->entry[i]->number,
				  t->msg->entry[i]->cloexec ? O_CLOEXEC : 0);
	prog_call(p, SYS_close, fd);
}

void files_stage_thread(struct prog *p, const struct stage_at *at)
{
	struct file_table *t = graph_table(at->r->files, at->task->files);

	for (size_t i = 0; t && i < t->msg->n_entry; i++)
		if (t->entry[i]->o.in_blob && t->entry[i]->inherited < 0)
			open_again(p, at, t, i);
}

int files_stage(struct prog *p, const struct stage_at *at)
{
	struct file_table *t = graph_table(at->r->files, at->task->files);
	bool first = at->task->files == at->task->index;
	int e = 0;

	if (!t)
		return 0;
	for (size_t i = 0; first && i < t->msg->n_entry; i++)
		if (t->entry[i]->o.in_blob && t->entry[i]->inherited < 0)
			open_again(p, at, t, i);
	if (first)
		e = stage_objects(p, at, t);
	if (!e && first && at->stage == STAGE_CREDS)
		e = lock_stage(p, t->msg);
	return e;
}
