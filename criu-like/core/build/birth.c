/*
 * Sessions and groups cannot be chosen, only inherited: a session id comes from setsid() of its
 * owner and goes to the children born afterwards; a group can be joined only inside the session. So
 * the order of forks is derived from the data:
 *
 * 1. For every task the session it must be *born* in: its own sid, unless it leads that session;
 * then whatever session those of its children need that were born before its setsid().
 * 2. A child whose birth session its parent never had was made by a sibling (CLONE_PARENT), or came
 *    by reparenting. If the session leader lives as a sibling, that one makes it with CLONE_PARENT;
 * if it is dead, a stand-in with its number does; if it lives deeper in the tree, a stand-in below
 *    it makes the child and exits, and the parent catches it as a subreaper.
 * 3. A group whose leader is dead gets a stand-in in the same session.
 */
#include "core/build/birth.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>

#include "base/err.h"
#include "base/map.h"
#include "kernel/sys.h"

struct planner {
	struct restore *r;
	struct birth_plan *plan;
	struct birth **of;    /* by task index */
	pid_t *session;       /* session a task must be born in, 0: any */
	struct map used;      /* all numbers of the image: pids, tids, sids, pgids */
	struct map task;      /* by pid */
	struct map stand_in;  /* by pid */
	pid_t own_sid, own_pgid;
	pid_t next_free;
};

struct birth *birth_of(const struct restore *r, const struct task *t)
{
	return r->births->all.v[t->index];
}

static struct task *map_task(const struct planner *p, pid_t pid)
{
	return map_get(&p->task, (uint64_t)pid, 0);
}

static struct birth *birth_new(struct planner *p, struct task *t, pid_t pid)
{
	struct birth *b = arena_new(&p->r->arena, struct birth);

	*b = (struct birth){
		.index = (uint32_t)p->plan->all.n, .task = t, .pid = pid, .exit_signal = SIGCHLD
	};
	*vec_push(&p->r->arena, &p->plan->all) = b;
	return b;
}

/* --shell-job: the session and group of the caller take the place of those outside the tree. */
static int adopt_callers_session(struct planner *p)
{
	struct task *root = p->r->tree.task.v[0];
	pid_t sid = root->sid, pgid = root->pgid;

	if (sid == root->pid)
		return 0;
	if (!p->r->opt->shell_job) {
		char reason[80];

		(void)snprintf(reason, sizeof(reason),
			       "its session %d has its leader outside the tree", sid);
		return refuse(&p->r->blockers, root->pid, "the root task", reason,
			      "use -j to restore it into the session of the caller");
	}
	vec_foreach(t, &p->r->tree.task) {
		if ((*t)->sid == sid)
			(*t)->sid = p->own_sid;
		if ((*t)->pgid == pgid && pgid != root->pid && !map_task(p, pgid))
			(*t)->pgid = p->own_pgid;
	}
	return 0;
}

static void find_birth_sessions(struct planner *p)
{
	for (size_t i = p->r->tree.task.n; i-- > 0;) {
		const struct task *t = p->r->tree.task.v[i];
		pid_t want = t->sid == t->pid ? p->session[i] : t->sid;

		p->session[i] = want;
		/* The root is born in the session of the tool, whatever its children want. */
		if (t->parent && t->parent->index && t->parent->sid == t->parent->pid && want &&
		    want != t->parent->pid && !p->session[t->parent->index])
			p->session[t->parent->index] = want;
	}
}

static struct birth *stand_in(struct planner *p, pid_t pid, struct birth *maker)
{
	struct birth *b = birth_new(p, NULL, pid);

	b->maker = b->parent = maker;
	b->pgid = pid;
	map_put(&p->stand_in, (uint64_t)pid, 0, b);
	map_put(&p->used, (uint64_t)pid, 0, b);
	p->plan->n_stand_in++;
	*vec_push(&p->r->arena, &maker->make) = b;
	return b;
}

/* A number nobody has, for a stand-in whose number does not matter. */
static pid_t free_pid(struct planner *p)
{
	while (map_get(&p->used, (uint64_t)p->next_free, 0) ||
	       sys(SYS_kill, p->next_free, 0) != -ESRCH)
		p->next_free++;
	return p->next_free;
}

static int refuse_session(struct planner *p, const struct task *t, const char *why)
{
	char object[64];

	(void)snprintf(object, sizeof(object), "session %d", t->sid);
	return refuse(&p->r->blockers, t->pid, object, why, NULL);
}

static bool is_ancestor(const struct task *a, const struct task *of)
{
	while (of && of != a)
		of = of->parent;
	return of == a;
}

/* The session's leader is alive below t's parent: a stand-in there makes t and leaves it to the
 * parent. */
static int born_below_leader(struct planner *p, struct birth *b, struct birth *leader)
{
	struct task *t = b->task;
	struct birth *s;

	if (!is_ancestor(t->parent, leader->task))
		return refuse_session(p, t, "its leader is no descendant of the task's parent");
	s = stand_in(p, free_pid(p), leader);
	b->maker = s;
	b->orphan = true;
	p->of[t->parent->index]->subreaper = true;
	return 0;
}

static int born_in_foreign_session(struct planner *p, struct birth *b, pid_t session)
{
	struct task *t = b->task, *leader = map_task(p, session);
	struct birth *s;

	if (leader && leader->sid == session && leader->index < t->index &&
	    leader->parent == t->parent) {
		b->maker = p->of[leader->index];
		return 0;
	}
	if (leader && leader->index < t->index)
		return born_below_leader(p, b, p->of[leader->index]);
	if (leader)
		return refuse_session(p, t, "its leader is younger than a member");
	s = map_get(&p->stand_in, (uint64_t)session, 0);
	if (s && s->parent != b->parent)
		return refuse_session(p, t, "its dead leader had members under two parents");
	s = s ?: stand_in(p, session, b->parent);
	s->setsid = true;
	b->maker = s;
	return 0;
}

static int choose_maker(struct planner *p, struct birth *b)
{
	struct task *t = b->task, *parent = t->parent;
	pid_t session = p->session[t->index];

	b->parent = b->maker = p->of[parent->index];
	if (!session || session == parent->sid)
		return 0;
	if (parent->sid == parent->pid && session == p->session[parent->index]) {
		b->before_setsid = true;
		return 0;
	}
	return born_in_foreign_session(p, b, session);
}

struct share {
	const char *what;
	uint64_t flag;
	bool can_unshare;
};

static uint32_t share_id(const struct task *t, uint64_t flag)
{
	return flag == CLONE_FILES ? t->files
	       : flag == CLONE_FS  ? t->fs
	       : flag == CLONE_VM  ? t->mm
				   : t->sighand;
}

static int refuse_sharing(struct planner *p, const struct task *t, const struct share *s)
{
	return refuse(&p->r->blockers, t->pid, s->what,
		      "it is shared with a task that cannot be its maker", NULL);
}

/* All between the owner and t are born sharing; those that do not share any more leave afterwards.
 */
static int share_along(struct planner *p, struct birth *b, const struct share *s)
{
	uint32_t id = share_id(b->task, s->flag);

	for (struct birth *i = b; i->task && i->task->index != id; i = i->maker) {
		bool keeps = share_id(i->task, s->flag) == id;

		if (!i->maker || !i->maker->task || (!keeps && !s->can_unshare))
			return refuse_sharing(p, b->task, s);
		i->clone_flags |= s->flag;
		if (!keeps)
			i->unshare_flags |= s->flag;
	}
	return 0;
}

static int plan_sharing(struct planner *p, struct birth *b)
{
	static const struct share shares[] = {
		{ "its descriptor table", CLONE_FILES, true },
		{ "its working directory and umask", CLONE_FS, true },
		{ "its memory", CLONE_VM, false },
		{ "its signal handlers", CLONE_SIGHAND, false },
	};
	int k = 0;

	for (size_t i = 0; i < array_size(shares) && b->task->state != TASK_ZOMBIE; i++) {
		struct task *owner = p->r->tree.task.v[share_id(b->task, shares[i].flag)];

		if (owner == b->task)
			continue;
		/* A sibling has it, the parent does not: the sibling is the maker. */
		if (owner->parent == b->task->parent && owner->index != 0 &&
		    b->maker == b->parent && owner->sid == b->task->sid &&
		    share_id(b->task->parent, shares[i].flag) != owner->index)
			b->maker = p->of[owner->index];
		k |= share_along(p, b, &shares[i]);
	}
	return k;
}

static void plan_group(struct planner *p, struct birth *b)
{
	struct task *t = b->task, *leader;

	b->pgid = t->pgid;
	b->setsid = t->sid == t->pid;
	b->lead_group |= !b->setsid && t->pgid == t->pid;
	if (t->pgid == p->own_pgid || map_get(&p->stand_in, (uint64_t)t->pgid, 0))
		return;
	leader = map_task(p, t->pgid);
	if (!leader)
		stand_in(p, t->pgid, b)->lead_group = true;
	else if (leader->sid != leader->pid) /* also when it has gone to another group since */
		p->of[leader->index]->lead_group = true;
}

/* A list in the order of birth: before the setsid first, stand-ins before those who need them. */
static void order_births(struct planner *p)
{
	for (int before = 1; before >= 0; before--)
		for (size_t i = 1; i < p->r->tree.task.n; i++) {
			struct birth *b = p->of[i];

			if (b->before_setsid == (before == 1))
				*vec_push(&p->r->arena, &b->maker->make) = b;
		}
}

/* A process that shares its maker's memory goes straight to the blob: it cannot fork on the way. */
static int check_vm_sharer(struct planner *p, const struct birth *b)
{
	if (!(b->clone_flags & CLONE_VM) || !b->make.n)
		return 0;
	return refuse(&p->r->blockers, b->pid, "its children",
		      "a process that shares its memory with its maker has some", NULL);
}

static int check_made_by_sibling(struct planner *p, const struct birth *b)
{
	uint32_t inherited = b->maker->exit_signal;

	if (b->maker == b->parent || b->orphan || b->exit_signal == inherited)
		return 0;
	return refuse(&p->r->blockers, b->pid, "its exit signal",
		      "it differs from that of the sibling that must make it", NULL);
}

/*
 * The kernel remembers which thread made a process: it tells the end of that one by the
 * parent-death signal, and __WNOTHREAD asks for it. So that thread has to exist early and to make
 * the process.
 */
static void choose_thread(struct planner *p, struct birth *b)
{
	struct thread *t = b->task ? b->task->parent_thread : NULL;
	const struct birth *maker = b->maker;

	if (!t || t == t->task->thread.v[0] || maker != b->parent || !maker || !maker->task ||
	    t->task != maker->task || maker->unshare_flags || maker->clone_flags & CLONE_VM ||
	    b->clone_flags & CLONE_VM)
		return;
	b->by = t;
	if (t->early)
		return;
	t->early = true;
	p->plan->n_early++;
	for (size_t i = 1; i < t->task->thread.n; i++)
		if (t->task->thread.v[i] != t && t->task->thread.v[i]->early)
			return;
	p->plan->n_with_early++;
}

static void count_targets(struct planner *p)
{
	vec_foreach(t, &p->r->tree.task) {
		p->plan->n_zombie += (*t)->state == TASK_ZOMBIE;
		p->plan->n_mm_shared += (*t)->state != TASK_ZOMBIE && (*t)->mm != (*t)->index;
		p->plan->n_mm += (*t)->state != TASK_ZOMBIE && (*t)->mm == (*t)->index;
	}
	p->plan->n_task = (uint32_t)p->r->tree.task.n;
	vec_foreach(b, &p->plan->all)
		p->plan->n_leave_group += (*b)->task && (*b)->lead_group && (*b)->pgid != (*b)->pid;
	vec_foreach(b, &p->plan->all)
		p->plan->n_fork += !((*b)->clone_flags & CLONE_VM);
}

static int plan_tasks(struct planner *p)
{
	struct tree *tree = &p->r->tree;
	int k = 0;

	for (size_t i = 0; i < tree->task.n; i++) {
		struct task *t = tree->task.v[i];

		p->of[i] = birth_new(p, t, t->pid);
		p->of[i]->exit_signal = t->exit_signal;
	}
	for (size_t i = 1; i < tree->task.n; i++) {
		k |= choose_maker(p, p->of[i]);
		k |= plan_sharing(p, p->of[i]);
	}
	for (size_t i = 0; i < tree->task.n; i++) {
		plan_group(p, p->of[i]);
		if (i)
			k |= check_made_by_sibling(p, p->of[i]);
	}
	order_births(p);
	for (size_t i = 0; i < tree->task.n; i++)
		k |= check_vm_sharer(p, p->of[i]);
	for (size_t i = 1; i < tree->task.n; i++)
		choose_thread(p, p->of[i]);
	return k ? -ENOTSUP : 0;
}

/* A number that a stranger has cannot be given: EEXIST at clone3, so it is refused beforehand. */
static int check_pid_free(struct planner *p, pid_t pid, const char *what)
{
	char object[64];

	if (sys(SYS_kill, pid, 0) == -ESRCH)
		return 0;
	(void)snprintf(object, sizeof(object), "%s %d", what, pid);
	if (pid == (pid_t)sys(SYS_getpid))
		return refuse(&p->r->blockers, 0, object, "the number is taken by the tool itself",
			      "run the restore again: it gets another one");
	return refuse(&p->r->blockers, 0, object, "the number is taken by another process here",
		      "wait until it has ended, or restore in a pid namespace of its own");
}

static int collect_numbers(struct planner *p)
{
	struct tree *tree = &p->r->tree;
	int k = 0;

	vec_foreach(t, &tree->task) {
		map_put(&p->task, (uint64_t)(*t)->pid, 0, *t);
		map_put(&p->used, (uint64_t)(*t)->pid, 0, *t);
		map_put(&p->used, (uint64_t)(*t)->pgid, 0, *t);
		map_put(&p->used, (uint64_t)(*t)->sid, 0, *t);
		k |= check_pid_free(p, (*t)->pid, "pid");
	}
	vec_foreach(th, &tree->thread) {
		map_put(&p->used, (uint64_t)(*th)->tid, 0, *th);
		if ((*th)->tid != (*th)->task->pid)
			k |= check_pid_free(p, (*th)->tid, "thread id");
	}
	return k ? -ENOTSUP : 0;
}

int birth_plan(struct restore *r)
{
	struct planner p = { .r = r, .next_free = 300 };
	int k;

	r->births = p.plan = arena_new(&r->arena, struct birth_plan);
	p.of = arena_array(&r->arena, struct birth *, r->tree.task.n);
	p.session = arena_array(&r->arena, pid_t, r->tree.task.n);
	p.own_sid = (pid_t)sys(SYS_getsid, 0);
	p.own_pgid = (pid_t)sys(SYS_getpgid, 0);
	map_init(&p.task, &r->arena);
	map_init(&p.used, &r->arena);
	map_init(&p.stand_in, &r->arena);
	k = collect_numbers(&p);
	k |= adopt_callers_session(&p);
	find_birth_sessions(&p);
	k |= plan_tasks(&p);
	count_targets(&p);
	return k ? -ENOTSUP : 0;
}
