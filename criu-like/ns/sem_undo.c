/*
 * What the end of a process will add to System V semaphores (SEM_UNDO). No system call tells it;
 * kcmp(2) tells whether a task has a list of such adjustments at all (the tool has none). Where one
 * has, the list is read in the kernel's memory (kernel/kernel-memory.c): the tree is stopped, so
 * nobody changes it. Without BTF or CAP_BPF with CAP_PERFMON, ns/sysv_sem.c refuses.
 *
 * Put back by the process itself, when the sets have their values: two operations in one semop(2)
 * that leave the value as it is, one of them with undo. Nobody who waits can be woken by that. They
 * fit below the highest value in one order or the other; if an adjustment is too large for both, in
 * several steps. Threads are born later, with CLONE_SYSVSEM, and share the list.
 *
 * Refused: a list in common with another process; threads with lists of their own (unshare(2));
 * what will be undone in sets that others use, too: their value goes on without the tree.
 */
#include "ns/sem_undo.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/sem.h>

#include "base/err.h"
#include "core/refuse.h"
#include "core/task-kinds.h"
#include "core/world.h"
#include "kernel/kernel-memory.h"
#include "kernel/sys.h"
#include "sem_undo.pb-c.h"
#include "sysv_sem.pb-c.h"

enum { INFO = 19, VALUE_MOST = 32767, SETS_MOST = 32000, READ_BYTES = 4096 };

struct sem_undo_reader {
	int error;
	struct kernel_memory memory;
	int list, refcnt, first, next, semid, semadj; /* offsets */
	bool is_pointer;			      /* semadj, in older kernels */
};

/* --- dump --------------------------------------------------------------------------------------
 */
static int find_layout(struct sem_undo_reader *k)
{
	const struct btf *b = &k->memory.btf;
	int inner = btf_member(b, "sysv_sem", "undo_list");
	const struct {
		int *to;
		const char *structure, *member;
	} want[] = {
		{ &k->list, "task_struct", "sysvsem" },
		{ &k->refcnt, "sem_undo_list", "refcnt" },
		{ &k->first, "sem_undo_list", "list_proc" },
		{ &k->next, "sem_undo", "list_proc" },
		{ &k->semid, "sem_undo", "semid" },
		{ &k->semadj, "sem_undo", "semadj" },
	};

	for (size_t i = 0; i < array_size(want); i++) {
		*want[i].to = btf_member(b, want[i].structure, want[i].member);
		if (*want[i].to < 0)
			return *want[i].to;
	}
	k->list += inner;
	k->is_pointer = btf_is_pointer(b, "sem_undo", "semadj");
	return inner < 0 ? inner : 0;
}

static struct sem_undo_reader *reader(struct dump *d)
{
	const pid_t self = (pid_t)sys(SYS_getpid);
	struct sem_undo_reader *k = d->sem_undo;
	uint64_t task;

	if (!k) {
		d->sem_undo = k = arena_new(&d->arena, struct sem_undo_reader);
		k->error = kernel_memory_open(&d->arena, &k->memory);
		k->error = k->error ?: find_layout(k);
		k->error = k->error ?: kernel_memory_task(&k->memory, self, &task);
	}
	return k;
}

int sem_undo_error(const struct dump *d)
{
	return d->sem_undo ? d->sem_undo->error : 0;
}

static uint64_t pointer(const struct sem_undo_reader *k, uint64_t address, int *r)
{
	uint64_t v = 0;

	if (!*r)
		*r = kernel_memory_read(&k->memory, address, &v, sizeof(v));
	return v;
}

static int read_long(const struct sem_undo_reader *k, uint64_t address, void *buf, size_t len)
{
	int r = 0;

	for (size_t at = 0; at < len && !r; at += READ_BYTES)
		r = kernel_memory_read(&k->memory, address + at, (char *)buf + at,
				       len - at < READ_BYTES ? len - at : READ_BYTES);
	return r;
}

static void append(struct dump *d, SemUndo *m, int id, const int16_t *adjust, size_t n)
{
	SemUndoSet *set = arena_new(&d->arena, SemUndoSet);

	sem_undo_set__init(set);
	set->id = id;
	set->number = arena_array(&d->arena, uint32_t, n);
	set->adjust = arena_array(&d->arena, int32_t, n);
	for (size_t i = 0; i < n; i++) {
		if (!adjust[i])
			continue;
		set->number[set->n_number++] = (uint32_t)i;
		set->adjust[set->n_adjust++] = adjust[i];
	}
	if (!set->n_number)
		return;
	m->set = arena_grow(&d->arena, m->set, m->n_set * sizeof(set),
			    (m->n_set + 1) * sizeof(set));
	m->set[m->n_set++] = set;
}

/* One struct sem_undo; that of a set which was removed has the id -1. */
static int read_set(struct dump *d, uint64_t undo, SemUndo *m)
{
	const struct sem_undo_reader *k = d->sem_undo;
	uint64_t adjust = undo + (uint64_t)k->semadj;
	struct semid_ds s;
	int32_t id = -1;
	int16_t *buf;
	int r = kernel_memory_read(&k->memory, undo + (uint64_t)k->semid, &id, sizeof(id));

	if (r || id < 0)
		return r;
	r = (int)sys(SYS_semctl, id, 0, IPC_STAT, &s);
	if (r || s.sem_nsems > SETS_MOST)
		return r == -EINVAL || r == -EIDRM ? 0 : r ? r : -EBADMSG;
	buf = arena_array(&d->arena, int16_t, s.sem_nsems);
	if (k->is_pointer)
		adjust = pointer(k, adjust, &r);
	r = r ?: read_long(k, adjust, buf, s.sem_nsems * sizeof(*buf));
	if (!r)
		append(d, m, id, buf, s.sem_nsems);
	return r;
}

/* All that thread t has; *ret_users: who share the list. */
static int read_list(struct dump *d, const struct thread *t, SemUndo *m, uint32_t *ret_users)
{
	struct sem_undo_reader *k = d->sem_undo;
	uint64_t task = 0, list, head, at;
	int r = kernel_memory_task(&k->memory, t->tid, &task), n = 0;

	list = pointer(k, task + (uint64_t)k->list, &r);
	*ret_users = 0;
	if (r || !list)
		return r;
	r = kernel_memory_read(&k->memory, list + (uint64_t)k->refcnt, ret_users,
			       sizeof(*ret_users));
	head = list + (uint64_t)k->first;
	for (at = pointer(k, head, &r); at != head && !r; at = pointer(k, at, &r))
		r = n++ > SETS_MOST ? -ELOOP : read_set(d, at - (uint64_t)k->next, m);
	return r;
}

static bool differs(const struct thread *a, pid_t tid)
{
	return sys(SYS_kcmp, a->tid, tid, KCMP_SYSVSEM, 0, 0) != 0;
}

/* Threads that have another list than t: what those hold is added. */
static int read_others(struct dump *d, const struct thread *t, SemUndo *m, uint32_t *ret_like)
{
	uint32_t users, like = 0;
	int r = 0;

	vec_foreach(o, &t->task->thread) {
		if ((*o)->dead || r)
			continue;
		if (*o == t || !differs(*o, t->tid))
			like++;
		else
			r = read_list(d, *o, m, &users);
	}
	*ret_like = like;
	return r;
}

static uint32_t living(const struct task *t)
{
	uint32_t n = 0;

	vec_foreach(o, &t->thread)
		n += !(*o)->dead;
	return n;
}

/* 1, 0, -errno. Where there are none, lists are without meaning. */
static int are_semaphores(void)
{
	struct seminfo info;
	int last = (int)sys(SYS_semctl, 0, 0, INFO, &info);

	if (last < 0)
		return last == -ENOSYS ? 0 : fail(last, "ask for System V semaphores");
	return info.semusz > 0;
}

/* To open the kernel's memory takes 10 ms, which are better spent before the stop. */
int sem_undo_look(struct dump *d)
{
	const pid_t self = (pid_t)sys(SYS_getpid);
	int r = are_semaphores();

	for (size_t i = 0; r > 0 && i < d->seen.n && !d->sem_undo; i++)
		if (sys(SYS_kcmp, d->seen.v[i], self, KCMP_SYSVSEM, 0, 0) > 0)
			(void)reader(d); /* keeps its error */
	return r < 0 ? r : 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const char *why = NULL;
	uint32_t users = 0, like = 0;
	SemUndo *m = msg;
	int r = are_semaphores();

	(void)answers;
	if (r <= 0 || (living(t->task) == 1 && !differs(t, (pid_t)sys(SYS_getpid))) ||
	    reader(d)->error)
		return r < 0 ? r : KIND_NOTHING;
	r = read_list(d, t, m, &users);
	r = r ?: read_others(d, t, m, &like);
	if (r)
		why = arena_printf(&d->arena, "what its end will undo cannot be read (%s)",
				   strerror(-r));
	else if (users && users != like)
		why = "it shares what its end will undo with another process (CLONE_SYSVSEM)";
	else if (m->n_set && like != living(t->task))
		why = "its threads do not share what their end will undo";
	if (why)
		return refuse(&d->blockers, t->task->pid, "its System V semaphores", why,
			      "dump when it has given them back, or use semop without SEM_UNDO");
	return m->n_set ? 0 : KIND_NOTHING;
}

bool sem_undo_has(const struct dump *d, int id)
{
	if (!d->sem_undo)
		return false;
	vec_foreach(t, &d->tree.task) {
		const SemUndo *m =
			task_kinds_record(d->task_records, &kind_sem_undo, (*t)->index);

		for (size_t i = 0; m && i < m->n_set; i++)
			if (m->set[i]->id == id)
				return true;
	}
	return false;
}

/* --- restore -----------------------------------------------------------------------------------
 */
static bool has_id(const void *msg, uint64_t id)
{
	return ((const SysvSem *)msg)->perm->id == (int32_t)id;
}

static const SysvSem *find_set(struct restore *r, int32_t id)
{
	const struct world_object *o = world_find(r, &kind_sysv_sem, has_id, (uint64_t)id);

	return o ? o->msg : NULL;
}

static bool is_right(const SemUndoSet *m, const SysvSem *set)
{
	if (!set || set->perm->outside || m->n_number != m->n_adjust)
		return false;
	for (size_t i = 0; i < m->n_number; i++)
		if (m->number[i] >= set->n_value || (i && m->number[i] <= m->number[i - 1]) ||
		    !m->adjust[i] || m->adjust[i] < -VALUE_MOST - 1 || m->adjust[i] > VALUE_MOST)
			return false;
	return true;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const SemUndo *m = msg;

	(void)t;
	for (size_t i = 0; i < m->n_set; i++)
		if (!is_right(m->set[i], find_set(r, m->set[i]->id)))
			return fail(-EPROTO,
				    "image 'sem_undo': wrong adjustments of semaphores %" PRId32,
				    m->set[i]->id);
	return 0;
}

/* The end adds what an operation with undo has taken, and takes what it has added. */
static void adjust(struct prog *p, int32_t id, uint32_t number, uint32_t value, int32_t by)
{
	int32_t left = by < 0 ? -by : by, up = VALUE_MOST - (int32_t)value, down = (int32_t)value;
	const int32_t room = up > down ? up : down;

	while (left) {
		int32_t step = left < room ? left : room;
		bool up_first = step <= up;
		struct sembuf op[2];

		for (int i = 0; i < 2; i++) {
			bool adds = up_first == !i;

			op[i].sem_num = (unsigned short)number;
			op[i].sem_op = (short)(adds ? step : -step);
			op[i].sem_flg = IPC_NOWAIT;
			if (adds == (by < 0))
				op[i].sem_flg |= SEM_UNDO;
		}
		prog_call(p, SYS_semop, id, prog_in(p, op, sizeof(op)), 2);
		left -= step;
	}
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const SemUndo *m = msg;

	for (size_t i = 0; at->stage == STAGE_TASK && i < m->n_set; i++) {
		const SemUndoSet *s = m->set[i];
		const SysvSem *set = find_set(at->r, s->id);

		prog_where(p, "what the end undoes in semaphores %" PRId32, s->id);
		for (size_t j = 0; j < s->n_number; j++)
			adjust(p, s->id, s->number[j], set->value[s->number[j]], s->adjust[j]);
	}
	return 0;
}

const struct task_kind kind_sem_undo = {
	.name = "sem_undo", .descriptor = &sem_undo__descriptor, .scope = SCOPE_TASK,
	.optional = true, .dump = dump, .plan = plan, .stage = stage,
};
