/*
 * Which tasks share an address space, a descriptor table, a working directory and umask, or signal
 * handlers: kcmp tells whether two are the same and orders them otherwise, so one sorted list per
 * kind of object finds all classes in n log n questions. Zombies have none of them any more.
 *
 * Limit: threads of one process share the address space and the handlers by definition, but may
 * have unshared the other two; that is refused.
 */
#include "core/stop/share.h"

#include <linux/kcmp.h>
#include <string.h>

#include "base/err.h"
#include "core/stop/stopped.h"
#include "kernel/sys.h"

enum { TYPES = 3 };
static const int guessed_type[TYPES] = { KCMP_VM, KCMP_FILES, KCMP_FS };

/* The processes before the stop, in the order of their objects. */
struct share_guess {
	pid_t *order[TYPES];
	size_t n;
};

static pid_t witness(const struct task *t)
{
	return task_main(t)->tid;
}

static int compare(pid_t a, pid_t b, int type)
{
	return (int)sys(SYS_kcmp, a, b, type, 0, 0);
}

/*
 * Among n numbers of processes in order. 1: *ret_at is one that has the same object; 0: where it
 * belongs. kcmp: 1 is less, 2 greater. -errno: nothing is reported.
 */
static int search(const pid_t *sorted, size_t n, pid_t pid, int type, size_t *ret_at)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int r = compare(pid, sorted[mid], type);

		if (r < 0)
			return r;
		if (r == 0) {
			*ret_at = mid;
			return 1;
		}
		if (r == 1)
			high = mid;
		else
			low = mid + 1;
	}
	*ret_at = low;
	return 0;
}

/* Those with the same object lie side by side. False: one of them is gone. */
static bool sort(struct dump *d, int type, pid_t *ret)
{
	size_t n = 0, at;

	vec_foreach(pid, &d->seen) {
		if (search(ret, n, *pid, type, &at) < 0)
			return false;
		memmove(ret + at + 1, ret + at, (n - at) * sizeof(*ret));
		ret[at] = *pid;
		n++;
	}
	return true;
}

void share_look(struct dump *d)
{
	struct share_guess *g = arena_new(&d->arena, struct share_guess);

	g->n = d->seen.n;
	for (int i = 0; i < TYPES; i++) {
		g->order[i] = arena_array(&d->arena, pid_t, g->n);
		if (!sort(d, guessed_type[i], g->order[i]))
			return;
	}
	d->share_guess = g;
}

static uint32_t *id_of(struct task *t, int type)
{
	switch (type) {
	case KCMP_VM: return &t->mm;
	case KCMP_FILES: return &t->files;
	case KCMP_FS: return &t->fs;
	default: return &t->sighand;
	}
}

/* Who shares handlers shares the address space (clone demands it, exec parts both). */
static bool *shared_spaces(struct dump *d)
{
	bool *shared = arena_array(&d->arena, bool, d->tree.task.n);

	vec_foreach(t, &d->tree.task)
		if ((*t)->mm != (*t)->index)
			shared[(*t)->mm] = true;
	return shared;
}

/* Tasks from `first` on, up to `end`, have the same object: that of the first in the tree. */
static void same_object(struct task *const *first, struct task *const *end, int type)
{
	uint32_t id = UINT32_MAX;

	for (struct task *const *t = first; t < end; t++)
		id = (*t)->index < id ? (*t)->index : id;
	for (struct task *const *t = first; t < end; t++)
		*id_of(*t, type) = id;
}

/* The tasks in the guessed order; false: it has not all of them. */
static bool in_guessed_order(struct dump *d, const pid_t *order, struct task **ret)
{
	size_t n = 0;

	vec_foreach(t, &d->tree.task)
		if (!task_main(*t) || task_main(*t)->tid != (*t)->pid)
			return false;
	for (size_t i = 0; i < d->share_guess->n; i++) {
		const struct victim_thread *v = stopped_find(d->victims, order[i]);

		if (v && !v->gone && v->thread && n < d->tree.task.n)
			ret[n++] = v->thread->task;
	}
	return n == d->tree.task.n;
}

/*
 * What was in order before the stop usually still is: then n questions prove it, instead of n log n
 * that find it.
 */
static bool number_guessed(struct dump *d, int type, struct task **sorted)
{
	const pid_t *order = NULL;
	size_t first = 0, n = d->tree.task.n;

	for (int i = 0; d->share_guess && i < TYPES; i++)
		if (guessed_type[i] == type)
			order = d->share_guess->order[i];
	if (!order || !in_guessed_order(d, order, sorted))
		return false;
	for (size_t i = 1; i <= n; i++) {
		int r = i < n ? compare(sorted[i - 1]->pid, sorted[i]->pid, type) : 1;

		if (r != 0 && r != 1)
			return false;
		if (r == 1) {
			same_object(sorted + first, sorted + i, type);
			first = i;
		}
	}
	return true;
}

static int number(struct dump *d, int type, const bool *shared)
{
	struct task **owner = arena_array(&d->arena, struct task *, d->tree.task.n);
	pid_t *sorted;
	size_t n = 0, at;

	if (number_guessed(d, type, owner))
		return 0;
	sorted = arena_array(&d->arena, pid_t, d->tree.task.n);
	vec_foreach(i, &d->tree.task) {
		int r;

		*id_of(*i, type) = (*i)->index;
		if (!task_main(*i) || (shared && !shared[(*i)->mm]))
			continue;
		r = search(sorted, n, witness(*i), type, &at);
		if (r < 0)
			return fail(r, "compare task %d with others", (*i)->pid);
		if (r) {
			*id_of(*i, type) = *id_of(owner[at], type);
			continue;
		}
		memmove(sorted + at + 1, sorted + at, (n - at) * sizeof(*sorted));
		memmove(owner + at + 1, owner + at, (n - at) * sizeof(*owner));
		sorted[at] = witness(*i);
		owner[at] = *i;
		n++;
	}
	return 0;
}

static int check_thread(struct dump *d, const struct thread *main, const struct thread *t)
{
	long files = sys(SYS_kcmp, main->tid, t->tid, KCMP_FILES, 0, 0);
	long fs = files < 0 ? files : sys(SYS_kcmp, main->tid, t->tid, KCMP_FS, 0, 0);
	const char *object;

	if (fs < 0)
		return fail(fs, "compare threads %d and %d", main->tid, t->tid);
	object = arena_printf(&d->arena, "thread %d", t->tid);
	if (files)
		(void)refuse(&d->blockers, t->task->pid, object,
			     "it has a descriptor table of its own", NULL);
	if (fs)
		(void)refuse(&d->blockers, t->task->pid, object,
			     "it has a root, working directory and umask of its own", NULL);
	return 0;
}

int share_number(struct dump *d)
{
	int r = number(d, KCMP_VM, NULL) ?: number(d, KCMP_FILES, NULL) ?: number(d, KCMP_FS, NULL);

	r = r ?: number(d, KCMP_SIGHAND, shared_spaces(d));
	vec_foreach(t, &d->tree.thread) {
		const struct thread *m = task_main((*t)->task);

		if (!r && *t != m && !(*t)->dead)
			r = check_thread(d, m, *t);
	}
	return r;
}
