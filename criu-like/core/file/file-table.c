/*
 * Descriptor tables as objects: several processes may share one, and it has a size.
 *
 * Opening takes the lowest free number, so nobody else may open anything in a table while it is
 * being filled: its processes meet before and behind that. (Processes that also share memory are
 * born later, one at a time, and open nothing.) A table grows in powers of two and shrinks never;
 * FDSize in /proc/PID/status shows it. A copy made by close_range(CLOSE_RANGE_UNSHARE) is as large
 * as what is left needs, and for a copy to be made somebody must share the table for a moment.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "core/build/area.h"
#include "core/file/file-graph.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"

struct table_meeting { /* in memory that all tasks share */
	uint32_t arrived, done, ticket;
};

enum { SLOTS_BORN = 64 }; /* of every table */

static bool takes_part(const struct task *t, uint32_t table)
{
	return t->state != TASK_ZOMBIE && t->files == table && t->mm == t->index;
}

int table_prepare(struct restore *r)
{
	size_t len = r->files->table.n * sizeof(struct table_meeting);
	long p;

	if (!len)
		return 0;
	p = sys(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p < 0)
		return fail(p, "map memory for the tasks to meet in");
	vec_foreach(t, &r->files->table)
		(*t)->meeting = (struct table_meeting *)p + (t - r->files->table.v);
	vec_foreach(task, &r->tree.task) {
		struct file_table *t = graph_table(r->files, (*task)->files);

		if (!t || (*task)->state == TASK_ZOMBIE)
			continue;
		t->n_task += takes_part(*task, t->id);
		t->n_user++;
	}
	return 0;
}

/* Sleeps until *word has reached `target`; gives up when another task has failed. */
static int wait_for(struct restore *r, uint32_t *word, uint32_t target)
{
	const struct timespec look_up = { 0, 20 * 1000 * 1000 };
	uint32_t now;

	while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) < target) {
		if (r->area && area_failed(r))
			return -ECANCELED;
		(void)sys(SYS_futex, word, FUTEX_WAIT, now, &look_up, 0,
			  0); /* judged by the loop */
	}
	return 0;
}

static void add_one(uint32_t *word)
{
	(void)__atomic_add_fetch(word, 1, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, word, FUTEX_WAKE, INT32_MAX, 0, 0, 0); /* they may not sleep yet */
}

/* In the order of the tasks: the n-th waits until n - 1 are through. */
int files_begin(struct self *s)
{
	struct file_table *t = graph_table(s->r->files, s->task->files);
	uint32_t before = 0;

	if (!t || !takes_part(s->task, t->id) || t->n_task < 2)
		return 0;
	vec_foreach(o, &s->r->tree.task)
		before += (*o)->index < s->task->index && takes_part(*o, t->id);
	return wait_for(s->r, &t->meeting->ticket, before);
}

void files_end(struct self *s)
{
	struct file_table *t = graph_table(s->r->files, s->task->files);

	if (t && takes_part(s->task, t->id) && t->n_task >= 2)
		add_one(&t->meeting->ticket);
}

int table_meet(struct self *s, struct file_table *t)
{
	if (!takes_part(s->task, t->id) || t->n_task < 2)
		return 0;
	add_one(&t->meeting->arrived);
	if (s->task->index == t->id)
		return wait_for(s->r, &t->meeting->arrived, t->n_task);
	return wait_for(s->r, &t->meeting->done, 1);
}

void table_done(struct file_table *t)
{
	if (t->n_task >= 2)
		add_one(&t->meeting->done);
}

/* --- size ----------------------------------------------------------------------------------------
 */

/* A process that shares the table and does nothing; a number that nobody in the tree has. */
static long make_companion(struct self *s)
{
	pid_t pid = 1;
	long r;

	vec_foreach(t, &s->r->tree.thread)
		pid = (*t)->tid >= pid ? (*t)->tid + 1 : pid;
	for (pid += (pid_t)s->task->index; (r = clone_process(pid, CLONE_FILES, 0)) == -EEXIST;)
		pid += (pid_t)s->r->tree.task.n;
	if (r)
		return r;
	(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); /* cannot fail */
	for (;;)
		(void)sys(SYS_pause); /* until it is killed */
}

static int shrink(struct self *s, unsigned int first_unused)
{
	long pid = make_companion(s);
	int r;

	if (pid < 0)
		return fail(pid, "make a process to copy the descriptor table");
	r = sys_close_range(first_unused, ~0U, CLOSE_RANGE_UNSHARE);
	(void)sys(SYS_kill, pid, SIGKILL);	       /* our own child */
	(void)sys(SYS_wait4, pid, NULL, __WALL, NULL); /* as above */
	return r ? fail(r, "copy the descriptor table") : 0;
}

static int grow(unsigned int slots)
{
	int fd = (int)sys(SYS_epoll_create1, O_CLOEXEC), r;

	if (fd < 0)
		return fail(fd, "open something");
	r = fd >= (int)slots - 1 ? -EEXIST : sys_dup3(fd, (int)slots - 1, O_CLOEXEC);
	(void)sys_close(fd); /* empty */
	if (r == -EEXIST)
		return 0; /* it has grown already */
	if (r >= 0)
		(void)sys_close((int)slots - 1); /* as above */
	return r < 0 ? fail(r, "grow the descriptor table to %u", slots) : 0;
}

/* The copy of a table is as large as its highest open number needs. */
bool files_inherit(const struct restore *r, const struct task *t, const struct task *from)
{
	const struct file_table *a = graph_table(r->files, t->files),
				*b = graph_table(r->files, from->files);
	unsigned int slots = a && a->msg->has_slots ? a->msg->slots : SLOTS_BORN;

	if (!a || !b || a->msg->n_entry != b->msg->n_entry || slots != SLOTS_BORN)
		return false;
	for (size_t i = 0; i < a->msg->n_entry; i++) {
		const FdEntry *x = a->msg->entry[i], *y = b->msg->entry[i];

		if (x->number != y->number || x->cloexec != y->cloexec ||
		    a->entry[i] != b->entry[i] || a->entry[i]->o.in_blob || x->number >= slots)
			return false;
	}
	vec_foreach(range, &b->reserved)
		if (range->first + range->n > slots)
			return false;
	return true;
}

int table_fit(struct self *s, struct file_table *t, unsigned int first_unused)
{
	const unsigned int slots = t->msg->has_slots ? t->msg->slots : SLOTS_BORN;
	int r = 0;

	if (t->n_user < 2 && s->r->files->highest >= slots && first_unused <= slots)
		r = shrink(s, first_unused);
	return !r && slots > SLOTS_BORN && slots > first_unused && slots <= s->r->files->limit
		       ? grow(slots)
		       : r;
}
