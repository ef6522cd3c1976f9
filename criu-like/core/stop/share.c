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
#include "kernel/sys.h"

static pid_t witness(const struct task *t)
{
	return task_main(t)->tid;
}

static int compare(const struct task *a, const struct task *b, int type)
{
	return (int)sys(SYS_kcmp, witness(a), witness(b), type, 0, 0);
}

/* 1: *ret_at is the task that has the same object; 0: where it belongs. kcmp: 1 is less, 2 greater.
 */
static int find(struct task *const *sorted, size_t n, const struct task *t, int type,
		size_t *ret_at)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int r = compare(t, sorted[mid], type);

		if (r < 0)
			return fail(r, "compare tasks %d and %d", t->pid, sorted[mid]->pid);
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

static int number(struct dump *d, int type, const bool *shared)
{
	struct task **sorted = arena_array(&d->arena, struct task *, d->tree.task.n);
	size_t n = 0, at;

	vec_foreach(i, &d->tree.task) {
		int r;

		*id_of(*i, type) = (*i)->index;
		if (!task_main(*i) || (shared && !shared[(*i)->mm]))
			continue;
		r = find(sorted, n, *i, type, &at);
		if (r < 0)
			return r;
		if (r) {
			*id_of(*i, type) = *id_of(sorted[at], type);
			continue;
		}
		memmove(sorted + at + 1, sorted + at, (n - at) * sizeof(*sorted));
		sorted[at] = *i;
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
