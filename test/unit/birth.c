/*
 * The planner of births against a model of the kernel: random histories of fork, setsid, setpgid
 * and exit make a tree; the plan for it is then carried out in the model, and everybody must come
 * out with the parent, session and group that the history gave.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/build/birth.h"

enum { MAX = 40, FIRST = 3000000 };

struct proc {
	int parent, sid, pgid;
	bool alive, present;
};

static struct proc kernel[MAX];
static unsigned int seed;
static int passed, failed;

static int rnd(int n)
{
	seed = seed * 1103515245 + 12345;
	return (int)(seed >> 16) % n;
}

static int alive(int i)
{
	return kernel[i].alive;
}

static void reparent(int dead)
{
	for (int i = 0; i < MAX; i++)
		if (kernel[i].present && kernel[i].parent == dead)
			kernel[i].parent = 0;
}

static bool group_exists(int id)
{
	for (int i = 0; i < MAX; i++)
		if (kernel[i].present && kernel[i].pgid == id)
			return true;
	return false;
}

/* One random step of the history; process 0 is the root, a subreaper that never dies. */
static void step(int *n)
{
	int i = rnd(*n), k;

	if (!alive(i))
		return;
	switch (rnd(6)) {
	case 0:
		if (!group_exists(i)) /* the kernel's own condition (EPERM) */
			kernel[i].sid = kernel[i].pgid = i;
		return;
	case 1:
		if (kernel[i].sid != i)
			kernel[i].pgid = i;
		return;
	case 2:
		k = rnd(*n);
		if (alive(k) && kernel[i].sid != i && kernel[k].sid == kernel[i].sid)
			kernel[i].pgid = kernel[k].pgid;
		return;
	case 3:
		if (i && rnd(2)) {
			kernel[i].alive = kernel[i].present = false;
			reparent(i);
		}
		return;
	default:
		if (*n == MAX)
			return;
		kernel[*n] = (struct proc){ i, kernel[i].sid, kernel[i].pgid, true, true };
		++*n;
	}
}

static struct task *add_task(struct restore *r, struct task **of, int i)
{
	struct task *t = arena_new(&r->arena, struct task);

	*t = (struct task){ .index = (uint32_t)r->tree.task.n,
			    .pid = FIRST + i,
			    .pgid = FIRST + kernel[i].pgid,
			    .sid = FIRST + kernel[i].sid,
			    .exit_signal = 17 };
	t->mm = t->files = t->fs = t->sighand = t->index;
	if (i) {
		t->parent = of[kernel[i].parent];
		*vec_push(&r->arena, &t->parent->child) = t;
	}
	of[i] = t;
	*vec_push(&r->arena, &r->tree.task) = t;
	return t;
}

/* Parents before children: a reparented child may be older than its new parent. */
static void build_tree(struct restore *r, int n)
{
	struct task *of[MAX] = { 0 };
	bool more = true;

	while (more) {
		more = false;
		for (int i = 0; i < n; i++)
			if (kernel[i].present && !of[i] && (!i || of[kernel[i].parent])) {
				add_task(r, of, i);
				more = true;
			}
	}
}

struct outcome {
	pid_t parent, sid, pgid;
};

static void carry_out(const struct birth *b, struct outcome *of, pid_t sid, pid_t pgid)
{
	struct outcome *o = &of[b->index];

	*o = (struct outcome){ b->parent ? b->parent->pid : 0, sid, pgid };
	if (b->lead_group)
		o->pgid = b->pid;
	for (int before = 1; before >= 0; before--) {
		if (!before && b->setsid)
			o->sid = o->pgid = b->pid;
		for (size_t i = 0; i < b->make.n; i++)
			if (b->make.v[i]->before_setsid == (before == 1))
				carry_out(b->make.v[i], of, o->sid, o->pgid);
	}
}

static const char *judge(const struct restore *r, const struct outcome *of)
{
	vec_foreach(p, &r->tree.task) {
		const struct birth *b = birth_of(r, *p);
		const struct outcome *o = &of[b->index];
		bool leader_exists = false;

		if (o->sid != (*p)->sid)
			return "wrong session";
		if ((*p)->parent && o->parent != (*p)->parent->pid)
			return "wrong parent";
		for (size_t i = 0; i < r->births->all.n; i++) {
			const struct birth *l = r->births->all.v[i];

			if (l->pid == (*p)->pgid && of[l->index].sid == (*p)->sid &&
			    (l->lead_group || l->setsid))
				leader_exists = true;
		}
		if (!leader_exists)
			return "its group has no leader in its session";
	}
	return NULL;
}

static void try_history(unsigned int number)
{
	struct restore_options opt = { 0 };
	struct restore r = { .opt = &opt };
	struct outcome *of;
	const char *wrong;
	int n = 1;

	seed = number;
	memset(kernel, 0, sizeof(kernel));
	kernel[0] = (struct proc){ -1, 0, 0, true, true };
	for (int i = 0; i < 120; i++)
		step(&n);
	arena_init(&r.arena);
	blockers_init(&r.blockers, &r.arena);
	build_tree(&r, n);
	if (birth_plan(&r)) {
		wrong = r.blockers.list.n ? r.blockers.list.v[0].reason : "refused";
	} else {
		of = arena_array(&r.arena, struct outcome, r.births->all.n);
		carry_out(r.births->all.v[0], of, 1, 1);
		wrong = judge(&r, of);
	}
	if (wrong)
		printf("not ok history %u: %s\n", number, wrong);
	passed += !wrong;
	failed += !!wrong;
	arena_deinit(&r.arena);
}

int main(void)
{
	log_setup(&(struct log_config){ .fd = -1, .level = LOG_ERROR });
	for (unsigned int i = 1; i <= 2000; i++)
		try_history(i);
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
