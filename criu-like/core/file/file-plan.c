/*
 * The plan for descriptors: from the images to objects whose references are checked.
 *
 * ofd.img names every description with its kind; the kinds' images hold the rest under the same
 * number; fd_table.img says who holds what where. Everything that can be known before a process
 * exists is refused here, all of it at once: kinds that this tool does not know, references that
 * lead nowhere, numbers beyond the limit, files that changed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "core/file/file-graph.h"
#include "core/file/file-inherit.h"
#include "core/file/file-lock.h"
#include "core/file/inode.h"
#include "images/image.h"
#include "kernel/descriptor.h"

struct fd_obj *files_find(struct restore *r, uint32_t id)
{
	struct planned *p = map_get(&r->files->by_id, id, 0);

	return p ? &p->o : NULL;
}

struct fd_obj *files_nth(const struct restore *r, size_t n)
{
	return n < r->files->all.n ? &r->files->all.v[n]->o : NULL;
}

struct fd_obj *files_add(struct restore *r, const struct fd_kind *kind, const void *msg)
{
	struct planned *p = arena_new(&r->arena, struct planned);
	Ofd *ofd = arena_new(&r->arena, Ofd);

	ofd__init(ofd);
	ofd->kind = (char *)kind->name;
	p->o = (struct fd_obj){ .kind = kind, .msg = msg, .ofd = ofd, .fd = -1 };
	p->inherited = -1;
	*vec_push(&r->arena, &r->files->all) = p;
	return &p->o;
}

int files_parked(const struct fd_obj *o)
{
	return (int)planned_of(o)->parked;
}

bool files_inherited(const struct fd_obj *o)
{
	return planned_of(o)->inherited >= 0;
}

const struct task *files_owner(struct restore *r, const struct fd_obj *o)
{
	const struct planned *p = planned_of(o);

	return p->first ? r->tree.task.v[p->first->id] : NULL;
}

unsigned int files_number(const struct restore *r, const struct fd_obj *o)
{
	(void)r;
	return planned_of(o)->number;
}

bool files_has(struct restore *r, const struct task *t, const struct fd_obj *o)
{
	const struct file_table *table = graph_table(r->files, t->files);

	for (size_t i = 0; table && i < table->msg->n_entry; i++)
		if (&table->entry[i]->o == o)
			return true;
	return false;
}

static const struct fd_kind *kind_named(const char *name)
{
	for (size_t i = 0; fd_kinds[i]; i++)
		if (!strcmp(fd_kinds[i]->name, name))
			return fd_kinds[i];
	return NULL;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int add_object(void *c, uint32_t id, const ProtobufCMessage *m)
{
	struct restore *r = c;
	const Ofd *ofd = (const Ofd *)m;
	struct planned *p = arena_new(&r->arena, struct planned);

	if (map_get(&r->files->by_id, id, 0))
		return fail(-EPROTO, "image 'ofd': description %" PRIu32 " twice", id);
	p->o = (struct fd_obj){ .id = id, .kind = kind_named(ofd->kind), .ofd = ofd, .fd = -1 };
	p->inherited = -1;
	map_put(&r->files->by_id, id, 0, p);
	*vec_push(&r->arena, &r->files->all) = p;
	if (p->o.kind)
		return 0;
	(void)refuse(&r->blockers, 0,
		     arena_printf(&r->arena, "open file '%s'", ofd->name ? ofd->name : ""),
		     arena_printf(&r->arena, "files of kind '%s' are unknown to this version",
				  ofd->kind),
		     "restore with the version that made the checkpoint"); /* collected */
	return 0;
}

struct kind_reader {
	struct restore *r;
	const struct fd_kind *kind;
};

static int add_message(void *c, uint32_t id, const ProtobufCMessage *m)
{
	const struct kind_reader *k = c;
	struct planned *p = map_get(&k->r->files->by_id, id, 0);

	if (!p || p->o.kind != k->kind || p->o.msg)
		return fail(-EPROTO, "image '%s': record %" PRIu32 " belongs to no description",
			    k->kind->name, id);
	p->o.msg = m;
	return 0;
}

static int read_kinds(struct restore *r)
{
	for (size_t i = 0; fd_kinds[i]; i++) {
		const struct fd_kind *k = fd_kinds[i];
		int e = image_each(r->set, k->name, k->descriptor, add_message,
				   &(struct kind_reader){ r, k });

		if (e)
			return e;
	}
	vec_foreach(p, &r->files->all)
		if ((*p)->o.kind && !(*p)->o.msg)
			return fail(-EPROTO, "image '%s': description %" PRIu32 " is missing",
				    (*p)->o.kind->name, (*p)->o.id);
	return 0;
}

static int add_entry(struct restore *r, struct file_table *t, size_t i)
{
	const FdEntry *e = t->msg->entry[i];
	struct planned *p = map_get(&r->files->by_id, e->ofd, 0);

	if (!p)
		return fail(-EPROTO,
			    "image 'fd_table': descriptor %" PRIu32 " of table %" PRIu32
			    " has no description",
			    e->number, t->id);
	if (e->number > 1 << 30 || (i && t->msg->entry[i - 1]->number >= e->number))
		return fail(-EPROTO, "image 'fd_table': table %" PRIu32 " is not in order", t->id);
	t->entry[i] = p;
	p->n_table += p->last != t; /* tables are read one after the other */
	p->last = t;
	if (!p->first) {
		p->first = t;
		p->number = e->number;
	}
	return 0;
}

static bool is_absent(const struct restore *r, uint32_t id)
{
	const struct planned *p = map_get(&r->files->by_id, id, 0);

	return p && p->o.kind && p->o.kind->is_absent && p->o.kind->is_absent(p->o.msg);
}

/* What the operator gave up altogether has no number. */
static const FdTable *without_absent(struct restore *r, const FdTable *msg)
{
	FdTable *copy = arena_memdup(&r->arena, msg, sizeof(*msg));

	copy->entry = arena_array(&r->arena, FdEntry *, msg->n_entry + 1);
	copy->n_entry = 0;
	for (size_t i = 0; i < msg->n_entry; i++)
		if (!is_absent(r, msg->entry[i]->ofd))
			copy->entry[copy->n_entry++] = msg->entry[i];
	return copy;
}

static int add_table(void *c, uint32_t id, const ProtobufCMessage *m)
{
	struct restore *r = c;
	const FdTable *msg = (const FdTable *)m;
	struct file_table *t = arena_new(&r->arena, struct file_table);

	if (graph_table(r->files, id))
		return fail(-EPROTO, "image 'fd_table': table %" PRIu32 " twice", id);
	if (id >= r->tree.task.n || r->tree.task.v[id]->files != id)
		return fail(-EPROTO, "image 'fd_table': table %" PRIu32 " has no task", id);
	t->id = id;
	t->msg = without_absent(r, msg);
	msg = t->msg;
	t->entry = arena_array(&r->arena, struct planned *, msg->n_entry);
	*vec_push(&r->arena, &r->files->table) = t;
	r->files->table_of[id] = t;
	for (size_t i = 0; i < msg->n_entry; i++) {
		int e = add_entry(r, t, i);

		if (e)
			return e;
	}
	return 0;
}

/* --- judging -------------------------------------------------------------------------------------
 */

static int check_numbers(struct restore *r)
{
	struct rlimit limit;
	int e = (int)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);

	if (e)
		return fail(e, "ask for the limit of open files");
	vec_foreach(t, &r->files->table) {
		const FdTable *m = (*t)->msg;

		if (m->n_entry && m->entry[m->n_entry - 1]->number + 8 >= limit.rlim_max)
			(void)refuse(
				&r->blockers, r->tree.task.v[(*t)->id]->pid,
				arena_printf(&r->arena, "descriptor %" PRIu32,
					     m->entry[m->n_entry - 1]->number),
				arena_printf(&r->arena, "the tool's limit of open files is %lu",
					     (unsigned long)limit.rlim_max),
				"raise the hard limit (ulimit -Hn) of the shell"); /* collected */
	}
	return 0;
}

struct group_slot {
	VEC(struct fd_obj *) member;
	const struct fd_kind *kind;
};

static int plan_groups(struct restore *r)
{
	VEC(struct group_slot *) all = { 0 };
	struct map by_key;

	map_init(&by_key, &r->arena);
	vec_foreach(p, &r->files->all) {
		const struct fd_kind *k = (*p)->o.kind;
		struct group_slot *s;

		if (!k || !k->group || (*p)->inherited >= 0)
			continue;
		s = map_get(&by_key, (uintptr_t)k, k->group((*p)->o.msg));
		if (!s) {
			s = arena_new(&r->arena, struct group_slot);
			s->kind = k;
			map_put(&by_key, (uintptr_t)k, k->group((*p)->o.msg), s);
			*vec_push(&r->arena, &all) = s;
		}
		*vec_push(&r->arena, &s->member) = &(*p)->o;
	}
	vec_foreach(s, &all) {
		int e = (*s)->kind->plan_group(r, (*s)->member.v, (*s)->member.n);

		if (e && e != -ENOTSUP)
			return e;
	}
	return 0;
}

static int plan_objects(struct restore *r)
{
	vec_foreach(p, &r->files->all) {
		int e;

		lock_plan(r, &(*p)->o);
		if (!(*p)->o.kind || !(*p)->o.kind->plan || (*p)->inherited >= 0)
			continue;
		e = (*p)->o.kind->plan(r, &(*p)->o);
		if (e && e != -ENOTSUP)
			return e;
	}
	return plan_groups(r);
}

int files_plan(struct restore *r)
{
	struct file_plan *f = r->files = arena_new(&r->arena, struct file_plan);
	int e;

	map_init(&f->by_id, &r->arena);
	f->n_task = r->tree.task.n;
	f->table_of = arena_array(&r->arena, struct file_table *, f->n_task);
	e = image_each(r->set, "ofd", &ofd__descriptor, add_object, r);
	if (!e)
		e = read_kinds(r);
	if (!e)
		e = image_each(r->set, "fd_table", &fd_table__descriptor, add_table, r);
	if (!e)
		e = inherit_plan(r);
	if (!e)
		e = check_numbers(r);
	if (!e)
		e = plan_objects(r);
	if (!e)
		e = graph_settle(r);
	if (e)
		return e;
	return r->blockers.list.n ? -ENOTSUP : 0;
}

/* --- numbers -------------------------------------------------------------------------------------
 */

unsigned int numbers_gap(const unsigned int *sorted, size_t n_sorted, unsigned int n)
{
	unsigned int next = 0;

	for (size_t i = 0; i < n_sorted; i++) {
		if (sorted[i] >= next + n)
			return next;
		if (sorted[i] >= next)
			next = sorted[i] + 1;
	}
	return next;
}

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

int files_reserve(struct restore *r, const struct task *task, unsigned int n)
{
	struct file_table *t = graph_table(r->files, task->files);
	VEC(unsigned int) used = { 0 };
	unsigned int first;

	if (!t)
		return 0;
	for (size_t i = 0; i < t->msg->n_entry; i++)
		*vec_push(&r->arena, &used) = t->msg->entry[i]->number;
	vec_foreach(range, &t->reserved)
		for (unsigned int i = 0; i < range->n; i++)
			*vec_push(&r->arena, &used) = range->first + i;
	vec_sort(&used, compare);
	first = numbers_gap(used.v, used.n, n);
	*vec_push(&r->arena, &t->reserved) = (struct number_range){ first, n };
	return (int)first;
}
