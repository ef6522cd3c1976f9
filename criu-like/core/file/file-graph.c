/*
 * Who opens a description, and in which order.
 *
 * The owning task opens what only its table holds: right credentials, cgroup and namespaces for
 * free. The coordinator opens what several tables hold, or none, or what is entangled with that:
 * ends that are created together (twins) go together, and what a shared description needs is shared
 * too. Objects that need the tasks to exist come late, and with them what is filled with them. The
 * order puts what is needed first; circles are cut anywhere, because creating and filling are
 * separate steps.
 */
#include "core/file/file-graph.h"

#include "base/err.h"

struct file_table *graph_table(const struct file_plan *p, uint32_t id)
{
	return id < p->n_task ? p->table_of[id] : NULL;
}

static bool raise_flag(bool *flag, bool to)
{
	bool change = to && !*flag;

	*flag |= to;
	return change;
}

static bool settle_twin(struct planned *p, struct planned *t)
{
	bool together = p->o.shared || t->o.shared || p->first != t->first;
	bool late = p->o.late || t->o.late, change = false;

	change |= raise_flag(&p->o.shared, together);
	change |= raise_flag(&t->o.shared, together);
	change |= raise_flag(&p->o.late, late);
	change |= raise_flag(&t->o.late, late);
	return change;
}

static bool settle_one(struct planned *p)
{
	bool change = p->o.twin && settle_twin(p, planned_of(p->o.twin));

	vec_foreach(need, &p->o.needs) {
		struct planned *n = planned_of(*need);

		change |= raise_flag(&n->o.shared, p->o.shared || n->first != p->first);
		if (!p->o.kind->finish)
			change |= raise_flag(&p->o.late, n->o.late && p->o.shared);
	}
	return change;
}

/* Depth first with a stack of its own: images may hold any chain. */
struct visit {
	struct planned *p;
	size_t next;
};

static void sort_from(struct restore *r, struct planned *start)
{
	VEC(struct visit) stack = { 0 };

	if (start->mark)
		return;
	start->mark = 1;
	*vec_push(&r->arena, &stack) = (struct visit){ start, 0 };
	while (stack.n) {
		struct visit *v = &stack.v[stack.n - 1];

		if (v->next < v->p->o.needs.n) {
			struct planned *n = planned_of(v->p->o.needs.v[v->next++]);

			if (n->mark)
				continue;
			n->mark = 1;
			*vec_push(&r->arena, &stack) = (struct visit){ n, 0 };
			continue;
		}
		v->p->mark = 2;
		*vec_push(&r->arena, &r->files->order) = v->p;
		stack.n--;
	}
}

static bool table_lists(const struct file_table *t, const struct planned *p)
{
	vec_foreach(l, &t->late)
		if (*l == p)
			return true;
	return false;
}

static void want_late(struct restore *r, struct file_table *t, struct planned *p)
{
	if (p->o.late && p->o.shared && !table_lists(t, p))
		*vec_push(&r->arena, &t->late) = p;
}

static void find_late(struct restore *r, struct file_table *t)
{
	for (size_t i = 0; i < t->msg->n_entry; i++) {
		want_late(r, t, t->entry[i]);
		vec_foreach(need, &t->entry[i]->o.needs)
			want_late(r, t, planned_of(*need));
	}
}

int graph_settle(struct restore *r)
{
	struct file_plan *f = r->files;
	bool change = true;

	vec_foreach(p, &f->all)
		(*p)->o.shared |= (*p)->n_table != 1 || (*p)->inherited >= 0;
	while (change) {
		change = false;
		vec_foreach(p, &f->all)
			if ((*p)->o.kind)
				change |= settle_one(*p);
	}
	vec_foreach(p, &f->all)
		sort_from(r, *p);
	vec_foreach(t, &f->table)
		find_late(r, *t);
	return 0;
}
