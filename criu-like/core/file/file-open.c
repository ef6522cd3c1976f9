/*
 * The coordinator's part: descriptions that several tables hold.
 *
 * They are opened before the first fork, so that every task inherits them, at numbers that no table
 * of the tree uses (the lowest gap that is free in all of them: a table grows to the highest number
 * it ever held and never shrinks). What needs the tasks to exist follows over one socket per table
 * that wants it. Copies of the coordinator are closed before any task runs, or no reader would ever
 * see the end of a pipe.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file-graph.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"

struct number_list {
	VEC(unsigned int) v;
};

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

static int add_own(struct restore *r, struct number_list *used)
{
	struct proc_list number;
	int e = proc_list_at(&r->arena, AT_FDCWD, "/proc/self/fd", &number);

	if (e)
		return fail(e, "list the tool's own descriptors");
	for (size_t i = 0; i < number.n; i++)
		*vec_push(&r->arena, &used->v) = (unsigned int)number.v[i];
	return 0;
}

/* A gap of n numbers in every table of the tree and in our own. */
static int find_gap(struct restore *r, unsigned int n, unsigned int *ret)
{
	struct number_list used = { 0 }, own = { 0 };
	int e = add_own(r, &own);

	if (e)
		return e;
	vec_foreach(number, &own.v)
		*vec_push(&r->arena, &used.v) = *number;

	vec_foreach(t, &r->files->table) {
		for (size_t i = 0; i < (*t)->msg->n_entry; i++)
			*vec_push(&r->arena, &used.v) = (*t)->msg->entry[i]->number;
		vec_foreach(range, &(*t)->reserved)
			for (unsigned int i = 0; i < range->n; i++)
				*vec_push(&r->arena, &used.v) = range->first + i;
	}
	for (unsigned int i = 0; i < r->files->parked.n; i++)
		*vec_push(&r->arena, &used.v) = r->files->parked.first + i;
	vec_sort(&used.v, compare);
	*ret = numbers_gap(used.v.v, used.v.n, n);
	r->files->highest = used.v.n ? used.v.v[used.v.n - 1] : 0;
	if (n && *ret + n - 1 > r->files->highest)
		r->files->highest = *ret + n - 1;
	return 0;
}

static int raise_limit(struct restore *r)
{
	struct rlimit limit;
	int e = (int)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);

	if (!e && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		e = (int)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
	}
	r->files->limit = limit.rlim_max;
	return e ? fail(e, "raise the limit of open files") : 0;
}

static int make_channel(struct file_table *t)
{
	int pair[2], e;

	e = (int)sys(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	for (int i = 0; i < 2 && e >= 0; i++) {
		if (pair[i] == (int)t->channel[i])
			continue;
		if (i == 0 && pair[1] == (int)t->channel[0])
			pair[1] = sys_fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
		e = sys_dup3(pair[i], (int)t->channel[i], O_CLOEXEC);
		(void)sys_close(pair[i]); /* has its place now */
	}
	return e < 0 ? fail(e, "make a channel for descriptors") : 0;
}

/* Gives numbers to everything that is shared, and opens the channels. */
static int park(struct restore *r)
{
	struct file_plan *f = r->files;
	unsigned int n = 0, next;
	int e;

	vec_foreach(p, &f->order)
		n += (*p)->o.shared;
	vec_foreach(t, &f->table)
		n += (*t)->late.n ? 2 : 0;
	e = find_gap(r, n, &next);
	if (e)
		return e;
	f->parked = (struct number_range){ next, n };
	vec_foreach(p, &f->order)
		if ((*p)->o.shared)
			(*p)->parked = next++;
	vec_foreach(t, &f->table) {
		if (!(*t)->late.n)
			continue;
		(*t)->channel[0] = next++;
		(*t)->channel[1] = next++;
		e = make_channel(*t);
		if (e)
			return e;
	}
	return 0;
}

/* What only a message in a queue holds has no task to finish it. */
static int finish_unheld(struct restore *r, struct planned *p)
{
	struct self nobody = { &r->arena, r, NULL };
	const struct fd_kind *k = p->o.kind;

	return k->finish && p->inherited < 0 ? k->finish(&nobody, &p->o, p->o.fd) : 0;
}

static int open_all(struct restore *r, bool late)
{
	struct opener op = { .arena = &r->arena, .r = r };

	vec_foreach(p, &r->files->order) {
		int e;

		if (!(*p)->o.shared || (*p)->o.late != late)
			continue;
		e = object_open(&op, *p);
		if (!e)
			e = object_place_all(*p, true);
		if (e)
			return e;
	}
	vec_foreach(p, &r->files->order) {
		int e = (*p)->o.shared && (*p)->o.late == late ? object_fill(&op, *p) : 0;

		if (!e && !(*p)->first && (*p)->o.shared && (*p)->o.late == late)
			e = finish_unheld(r, *p);
		if (e)
			return e;
	}
	return 0;
}

int files_move_away(struct restore *r, int *fd)
{
	unsigned int to;
	int e = *fd < 0 ? 0 : find_gap(r, 1, &to);

	if (e || *fd < 0)
		return e;
	e = sys_dup3(*fd, (int)to, O_CLOEXEC);
	if (e < 0)
		return fail(e, "move descriptor %d out of the way", *fd);
	(void)sys_close(*fd); /* a second number of the same file */
	*fd = (int)to;
	return 0;
}

int files_set_aside(struct restore *r, int *fd)
{
	const struct number_range *p = &r->files->parked;
	int to = sys_fcntl(*fd, F_DUPFD_CLOEXEC, (long)p->first + p->n);

	if (to < 0)
		return fail(to, "move descriptor %d out of the way", *fd);
	(void)sys_close(*fd); /* a second number of the same file */
	*fd = to;
	return 0;
}

int files_open_shared(struct restore *r)
{
	struct fault_place place = fault_enter(FAULT_OPENER, -1);
	int e = raise_limit(r);

	if (!e)
		e = park(r);
	if (!e)
		e = table_prepare(r);
	if (!e)
		e = open_all(r, false);
	fault_leave(place);
	return e;
}

static int send_late(struct restore *r, struct file_table *t)
{
	int *fd = arena_array(&r->arena, int, t->late.n);

	for (size_t i = 0; i < t->late.n; i++)
		fd[i] = t->late.v[i]->o.fd;
	return channel_send((int)t->channel[0], fd, t->late.n);
}

int files_open_late(struct restore *r)
{
	struct fault_place place = fault_enter(FAULT_OPENER, -1);
	int e = open_all(r, true);

	vec_foreach(t, &r->files->table)
		if (!e && (*t)->late.n)
			e = send_late(r, *t);
	fault_leave(place);
	return e;
}

static int settle_all(struct restore *r, bool hold)
{
	struct fault_place place = fault_enter(FAULT_OPENER, -1);
	int e = 0;

	vec_foreach(p, &r->files->order) {
		const struct fd_kind *k = (*p)->o.kind;

		if (!k || !(*p)->o.shared || (*p)->inherited >= 0 || e)
			continue;
		if (hold && k->hold)
			e = k->hold(r, &(*p)->o);
		else if (!hold && k->settle)
			e = k->settle(r, &(*p)->o, (int)(*p)->parked);
	}
	fault_leave(place);
	return e;
}

int files_hold(struct restore *r)
{
	return settle_all(r, true);
}

int files_settle(struct restore *r)
{
	return settle_all(r, false);
}

void files_close_shared(struct restore *r)
{
	const struct number_range *p = &r->files->parked;

	if (p->n)
		(void)sys_close_range(p->first, p->first + p->n - 1, 0); /* our copies only */
	vec_foreach(o, &r->files->all)
		if ((*o)->o.shared)
			(*o)->o.fd = -1;
}

static bool needs_nobody(const struct planned *p)
{
	return p->o.kind->alone && !p->o.late && !p->o.in_blob && !p->o.ofd->owner &&
	       !p->o.ofd->n_lock;
}

bool files_need_nobody(const struct restore *r)
{
	bool yes = true;

	vec_foreach(p, &r->files->all)
		yes = yes && needs_nobody(*p);
	vec_foreach(t, &r->tree.task)
		yes = yes && ((*t)->state == TASK_ZOMBIE || (*t)->files == (*t)->index);
	return yes;
}
