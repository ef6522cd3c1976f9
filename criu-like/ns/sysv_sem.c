/*
 * Sets of System V semaphores. SEM_STAT_ANY (4.17) lists them, GETALL yields the values, GETPID who
 * changed one last. A set is the tree's if a task of the tree did or will undo something in it, or
 * if nobody known did and nobody else lives in the ipc namespace. Tasks that wait on one are woken
 * by the stop and wait again.
 *
 * What exit will undo (SEM_UNDO) is the matter of ns/sem_undo.c. Where that cannot read it, it is
 * known only whether a task has such a list at all: kcmp(2) tells whether it is the tool's, which
 * has none. A single thread has one only if it asked for undo, or had others; several threads
 * always have one, in common. Where the tree uses no semaphores of that sort it is without meaning;
 * else it is refused, for several threads only if they were the last to change a semaphore
 * (otherwise a warning).
 * Not kept: times, and who changed a semaphore last.
 */
#include "sysv_sem.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/sem.h>

#include "base/err.h"
#include "base/log.h"
#include "core/world.h"
#include "kernel/sys.h"
#include "ns/sem_undo.h"
#include "ns/sysv-object.h"

enum { STAT_ANY = 20, INFO = 19, VALUE_MOST = 32767, SETS_MOST = 32000 };

static int control(int id, int n, int command, void *arg)
{
	return (int)sys(SYS_semctl, id, n, command, arg);
}

/* --- dump --------------------------------------------------------------------------------------
 */
typedef VEC(pid_t) pid_list;

/* Or was never there. */
static bool is_gone(int error)
{
	return error == -EINVAL || error == -EIDRM;
}

/* 1, 0, -errno. Who has used sets of others is of no interest: the numbers may be those of their
 * dead tasks.
 */
static int is_ours(struct dump *d, int id, size_t n, pid_list *users, bool *ret_outside)
{
	pid_t *user = arena_array(&d->arena, pid_t, n);
	bool ours;

	for (size_t i = 0; i < n; i++) {
		user[i] = control(id, (int)i, GETPID, NULL);
		if (user[i] < 0)
			return is_gone(user[i]) ? 0 : fail(user[i], "ask who used semaphores %d",
							   id);
	}
	ours = sysv_is_ours(d, user, n, ret_outside);
	for (size_t i = 0; i < n && ours; i++)
		*vec_push(&d->arena, users) = user[i];
	return ours;
}

static bool has_used(const pid_list *users, pid_t pid)
{
	vec_foreach(u, users)
		if (*u == pid)
			return true;
	return false;
}

static int append(struct dump *d, int id, const struct semid_ds *s, bool outside)
{
	unsigned short *value = arena_array(&d->arena, unsigned short, s->sem_nsems);
	SysvSem m = SYSV_SEM__INIT;
	int r = control(id, 0, GETALL, value);

	if (r)
		return fail(r, "values of semaphores %d", id);
	m.perm = sysv_perm(d, id, &s->sem_perm, s->sem_ctime);
	m.perm->outside = outside;
	m.n_value = s->sem_nsems;
	m.value = arena_array(&d->arena, uint32_t, m.n_value);
	for (size_t i = 0; i < m.n_value; i++)
		m.value[i] = value[i];
	return world_append(d, &kind_sysv_sem, &m.base);
}

/* Its value goes on without the tree, which undoes what it did when the dump ends it. */
static int refuse_outside(struct dump *d, int id)
{
	return refuse(&d->blockers, 0, arena_printf(&d->arena, "System V semaphores %d", id),
		      "others use them, too, and the end of a task will undo something in them",
		      "dump when the tree has given them back, or with all who use them");
}

/* Nobody could read the lists. */
static int refuse_undo(struct dump *d, const pid_list *users)
{
	const char *reason = arena_printf(
		&d->arena, "what its end will undo (SEM_UNDO) cannot be read: it takes BTF, "
			   "CAP_BPF and CAP_PERFMON (%s)", strerror(-sem_undo_error(d)));
	const long self = sys(SYS_getpid);
	int r = 0;

	vec_foreach(t, &d->tree.task) {
		if ((*t)->state == TASK_ZOMBIE ||
		    !sys(SYS_kcmp, self, task_main(*t)->tid, KCMP_SYSVSEM, 0, 0))
			continue;
		if ((*t)->thread.n > 1 && !has_used(users, (*t)->pid)) {
			log_warn(
				"task %d: if its end is to undo a System V semaphore, that is lost",
				(*t)->pid);
			continue;
		}
		r = refuse(&d->blockers, (*t)->pid, "its System V semaphores", reason,
			   "dump when it has given them back, or use semop without SEM_UNDO");
	}
	return r;
}

/* The set in slot i; 1: it is the tree's. */
static int dump_slot(struct dump *d, int i, pid_list *users)
{
	struct semid_ds s;
	int id = control(i, 0, STAT_ANY, &s), r;
	bool undone, outside = false;

	if (id < 0)
		return is_gone(id) ? 0 : fail(id, "ask for semaphores");
	r = is_ours(d, id, s.sem_nsems, users, &outside);
	undone = sem_undo_has(d, id);
	if (r < 0 || (!r && !undone))
		return r;
	r = undone && outside ? refuse_outside(d, id) : append(d, id, &s, outside);
	return r ? r : 1;
}

static int dump(struct dump *d)
{
	struct seminfo info;
	int last = control(0, 0, INFO, &info), r = 0;
	bool any = false;
	pid_list users = { 0 };

	if (last < 0)
		return last == -ENOSYS ? 0 : fail(last, "ask for System V semaphores");
	for (int i = 0; i <= last && r >= 0; i++) {
		r = dump_slot(d, i, &users);
		any |= r > 0;
	}
	return r < 0 ? r : any && sem_undo_error(d) ? refuse_undo(d, &users) : 0;
}

/* --- restore -----------------------------------------------------------------------------------
 */
static int check(const SysvSem *m)
{
	if (!m->n_value || m->n_value > SETS_MOST)
		return fail(-EPROTO, "semaphores %" PRId32 " of a wrong number", m->perm->id);
	for (size_t i = 0; i < m->n_value; i++)
		if (m->value[i] > VALUE_MOST)
			return fail(-EPROTO, "semaphores %" PRId32 " have a wrong value",
				    m->perm->id);
	return sysv_check(m->perm);
}

static int plan(struct restore *r, struct world_object *o)
{
	const SysvSem *m = o->msg;
	struct semid_ds s = { 0 }, other;
	struct sysv_found f = { .perm = &s.sem_perm };
	int e = check(m);

	if (e)
		return e;
	f.r_stat = control(m->perm->id, 0, IPC_STAT, &s);
	f.ctime = s.sem_ctime;
	f.slot = control(sysv_slot(m->perm->id), 0, STAT_ANY, &other);
	f.by_key = m->perm->key ? (int)sys(SYS_semget, m->perm->key, 0, 0) : -ENOENT;
	e = sysv_plan(r, "sem", m->perm, &f);
	if (!e && !f.r_stat && s.sem_nsems != m->n_value)
		e = refuse(&r->blockers, 0, sysv_title(r, "sem", m->perm),
			   "it has another number of semaphores by now", "remove it (ipcrm -s)");
	return e;
}

static int make(const SysvSem *m)
{
	const SysvPerm *p = m->perm;
	struct sysv_self self;
	struct semid_ds s;
	int e = sysv_next_id("sem", p->id) ?: sysv_become(p->cuid, p->cgid, &self), id;

	if (e)
		return e;
	id = (int)sys(SYS_semget, p->key, m->n_value, IPC_CREAT | IPC_EXCL | (int)p->mode);
	e = sysv_return(&self);
	if (e && id >= 0)
		(void)control(id, 0, IPC_RMID, NULL); /* just made */
	if (e || id < 0)
		return e ? e : fail(id, "make %zu semaphores %" PRId32, m->n_value, p->id);
	e = id == p->id ? control(id, 0, IPC_STAT, &s) : -EBUSY;
	s.sem_perm.uid = p->uid;
	s.sem_perm.gid = p->gid;
	if (!e && (p->uid != p->cuid || p->gid != p->cgid))
		e = control(id, 0, IPC_SET, &s);
	if (e)
		(void)control(id, 0, IPC_RMID, NULL); /* just made */
	return e ? fail(e, "make semaphores %" PRId32 " with their id and owner", p->id) : 0;
}

static int set_values(struct restore *r, const SysvSem *m)
{
	unsigned short *value = arena_array(&r->arena, unsigned short, m->n_value);
	unsigned short *now = arena_array(&r->arena, unsigned short, m->n_value);
	int e = control(m->perm->id, 0, GETALL, now);
	bool equal = true;

	for (size_t i = 0; i < m->n_value; i++) {
		value[i] = (unsigned short)m->value[i];
		equal &= now[i] == value[i];
	}
	if (!e && !equal)
		e = control(m->perm->id, 0, SETALL, value);
	return e ? fail(e, "set the values of semaphores %" PRId32, m->perm->id) : 0;
}

static int create(struct restore *r, struct world_object *o)
{
	const SysvSem *m = o->msg;
	struct semid_ds s;
	int e = 0;

	if (m->perm->outside)
		return 0;
	if (control(m->perm->id, 0, IPC_STAT, &s)) {
		e = world_announce(r, o, "sem", m->perm->id) ?: make(m);
		o->made = !e;
	}
	return e ?: set_values(r, m);
}

static int undo(struct restore *r, struct world_object *o)
{
	const SysvSem *m = o->msg;
	int e = control(m->perm->id, 0, IPC_RMID, NULL);

	(void)r;
	return e ? fail(e, "remove semaphores %" PRId32, m->perm->id) : 0;
}

const struct world_kind kind_sysv_sem = {
	.name = "sysv_sem", .descriptor = &sysv_sem__descriptor, .look = sem_undo_look,
	.dump = dump, .plan = plan, .create = create, .undo = undo,
};
