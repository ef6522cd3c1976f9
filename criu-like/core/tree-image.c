/*
 * Tasks and threads as records. Images are hostile input: parents stand before children, every
 * index is checked, numbers are unique, register sets have a plausible size. Nothing here recurses.
 */
#include "core/tree-image.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "kernel/proc-status.h"
#include "task.pb-c.h"
#include "thread.pb-c.h"

enum { MAX_TASKS = 4 << 20, XSTATE_MIN = 576, XSTATE_MAX = 65536, PID_MAX = 4 << 20 };

static void fill_ids(struct dump *d, const struct task *t, Task *m)
{
	m->has_mm = m->has_files = m->has_fs = m->has_sighand = t->state != TASK_ZOMBIE;
	m->mm = t->mm;
	m->files = t->files;
	m->fs = t->fs;
	m->sighand = t->sighand;
	m->n_thread = t->thread.n;
	m->thread = arena_array(&d->arena, uint32_t, t->thread.n);
	for (size_t i = 0; i < t->thread.n; i++)
		m->thread[i] = t->thread.v[i]->index;
	m->has_sigblk = m->has_sigign = m->has_sigcgt = t->state == TASK_ZOMBIE;
	m->sigblk = t->sigblk;
	m->sigign = t->sigign;
	m->sigcgt = t->sigcgt;
	m->n_uid = m->n_gid = 4;
	m->uid = arena_memdup(&d->arena, t->uid, sizeof(t->uid));
	m->gid = arena_memdup(&d->arena, t->gid, sizeof(t->gid));
}

static int dump_task(struct dump *d, struct image *i, const struct task *t)
{
	Task m = TASK__INIT;
	uint32_t pid = (uint32_t)t->pid;

	m.n_pid = 1;
	m.pid = &pid;
	m.has_parent = t->parent != NULL;
	m.parent = t->parent ? t->parent->index : 0;
	m.pgid = (uint32_t)t->pgid;
	m.sid = (uint32_t)t->sid;
	m.exit_signal = t->exit_signal;
	m.state = t->state == TASK_ZOMBIE	  ? TASK__STATE__ZOMBIE
		  : t->state == TASK_DEAD_LEADER ? TASK__STATE__DEAD_LEADER
						  : TASK__STATE__ALIVE;
	m.has_exit_status = t->state != TASK_ALIVE;
	m.exit_status = t->exit_status;
	m.has_stop_signal = t->stop_signal != 0;
	m.stop_signal = t->stop_signal;
	m.comm = (ProtobufCBinaryData){ strlen(t->comm), (uint8_t *)t->comm };
	m.start_time = t->start_time;
	m.has_parent_thread = t->parent_thread != NULL;
	m.parent_thread = t->parent_thread ? t->parent_thread->index : 0;
	fill_ids(d, t, &m);
	return image_append(i, t->index, &m.base);
}

static int dump_thread(struct dump *d, struct image *i, const struct thread *t)
{
	Thread m = THREAD__INIT;
	uint32_t tid = (uint32_t)t->tid;

	m.n_tid = 1;
	m.tid = &tid;
	m.task = t->task->index;
	m.n_ns = array_size(d->ns);
	m.ns = d->ns;
	m.has_dead = t->dead;
	m.dead = t->dead;
	m.prstatus = (ProtobufCBinaryData){ t->regs.prstatus_len, t->regs.prstatus };
	m.xstate = (ProtobufCBinaryData){ t->regs.xstate_len, t->regs.xstate };
	m.sigmask = t->regs.sigmask;
	m.has_rseq_cs = t->regs.rseq_cs != 0;
	m.rseq_cs = t->regs.rseq_cs;
	m.has_restart_syscall = m.has_restart_left_ns = t->restart_syscall != 0;
	m.restart_left_ns = t->restart_left_ns;
	m.restart_syscall = t->restart_syscall;
	return image_append(i, t->index, &m.base);
}

int tree_dump(struct dump *d)
{
	struct image *tasks, *threads;
	int r = image_create(d->set, "task", &tasks);

	for (size_t i = 0; !r && i < d->tree.task.n; i++)
		r = dump_task(d, tasks, d->tree.task.v[i]);
	r = r ?: image_finish(tasks);
	r = r ?: image_create(d->set, "thread", &threads);
	for (size_t i = 0; !r && i < d->tree.thread.n; i++)
		r = dump_thread(d, threads, d->tree.thread.v[i]);
	return r ?: image_finish(threads);
}

static int bad(const char *what, uint32_t id)
{
	return fail(-EPROTO, "broken checkpoint: %s (record %u)", what, id);
}

static int copy_ids(struct task *t, const Task *m)
{
	if (m->n_uid != 4 || m->n_gid != 4)
		return bad("a task has not four user and group ids", t->index);
	memcpy(t->uid, m->uid, sizeof(t->uid));
	memcpy(t->gid, m->gid, sizeof(t->gid));
	t->sigblk = m->sigblk;
	t->sigign = m->sigign;
	t->sigcgt = m->sigcgt;
	if (t->state == TASK_ZOMBIE)
		return m->n_thread ? bad("a zombie has threads", t->index) : 0;
	if (!m->has_mm || !m->has_files || !m->has_fs || !m->has_sighand || m->mm > t->index ||
	    m->files > t->index || m->fs > t->index || m->sighand > t->index)
		return bad("a task names shared objects that do not exist", t->index);
	t->mm = m->mm;
	t->files = m->files;
	t->fs = m->fs;
	t->sighand = m->sighand;
	return m->n_thread ? 0 : bad("a live task has no threads", t->index);
}

static int read_task(struct restore *r, const Task *m, uint32_t id, struct map *pids)
{
	struct task *t = arena_new(&r->arena, struct task);

	if (id != r->tree.task.n || id >= MAX_TASKS || m->has_parent != (id != 0) ||
	    (m->has_parent && m->parent >= id))
		return bad("tasks are out of order", id);
	if (m->n_pid != 1 || !m->pid[0] || m->pid[0] >= PID_MAX || m->pgid >= PID_MAX ||
	    m->sid >= PID_MAX || map_get(pids, m->pid[0], 0) || m->comm.len > 15 ||
	    m->exit_signal > 64 || m->stop_signal > 64)
		return bad("a task has impossible numbers", id);
	*t = (struct task){ .index = id,
			    .pid = (pid_t)m->pid[0],
			    .pgid = (pid_t)m->pgid,
			    .sid = (pid_t)m->sid,
			    .exit_signal = m->exit_signal,
			    .state = (enum task_state)m->state,
			    .exit_status = m->exit_status,
			    .stop_signal = m->stop_signal,
			    .start_time = m->start_time,
			    .proc_fd = -1,
			    .pidfd = -1 };
	if (m->comm.len)
		memcpy(t->comm, m->comm.data, m->comm.len);
	map_put(pids, m->pid[0], 0, t);
	*vec_push(&r->arena, &r->tree.task) = t;
	if (m->has_parent) {
		t->parent = r->tree.task.v[m->parent];
		*vec_push(&r->arena, &t->parent->child) = t;
		if (t->parent->state == TASK_ZOMBIE)
			return bad("a zombie has children", id);
	}
	return copy_ids(t, m);
}

static int copy_regs(struct thread *t, const Thread *m)
{
	if (m->dead)
		return 0;
	if (m->prstatus.len != 216 || m->xstate.len < XSTATE_MIN || m->xstate.len > XSTATE_MAX)
		return bad("a register set has an impossible size", t->index);
	/* The message lives as long as the tree does. */
	t->regs = (struct regs){ m->prstatus.data, (uint32_t)m->prstatus.len, m->xstate.data,
				 (uint32_t)m->xstate.len,  m->sigmask,	      m->rseq_cs };
	return 0;
}

static int read_thread(struct restore *r, const Thread *m, uint32_t id, struct map *pids)
{
	struct thread *t = arena_new(&r->arena, struct thread);
	struct task *task = m->task < r->tree.task.n ? r->tree.task.v[m->task] : NULL;
	bool leader;

	if (id != r->tree.thread.n || !task || task->state == TASK_ZOMBIE || m->n_tid != 1 ||
	    !m->tid[0] || m->tid[0] >= PID_MAX)
		return bad("a thread belongs to no task", id);
	leader = !task->thread.n;
	if (leader != ((pid_t)m->tid[0] == task->pid) || (!leader && map_get(pids, m->tid[0], 0)))
		return bad("thread ids are not unique", id);
	if (m->dead != (leader && task->state == TASK_DEAD_LEADER))
		return bad("a thread's state contradicts its task", id);
	*t = (struct thread){ .index = id,
			      .tid = (pid_t)m->tid[0],
			      .task = task,
			      .dead = m->dead,
			      .restart_left_ns = m->restart_left_ns,
			      .restart_syscall = m->restart_syscall };
	map_put(pids, m->tid[0], 0, t);
	*vec_push(&r->arena, &task->thread) = t;
	*vec_push(&r->arena, &r->tree.thread) = t;
	return copy_regs(t, m);
}

struct task_messages {
	VEC(const Task *) v;
};

static int read_tasks(struct restore *r, struct map *pids, struct task_messages *msgs)
{
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;
	int k = image_open(r->set, "task", &i);

	if (k)
		return k == -ENOENT ? fail(-EPROTO, "broken checkpoint: no image of tasks") : k;
	while ((k = image_next(i, &task__descriptor, &id, &m)) > 0) {
		k = read_task(r, (const Task *)m, id, pids);
		if (k)
			return k;
		*vec_push(&r->arena, &msgs->v) = (const Task *)m;
	}
	if (!k && !r->tree.task.n)
		return fail(-EPROTO, "broken checkpoint: it holds no task");
	return k;
}

/* Tasks name threads, which are read later. */
static int find_parent_thread(struct restore *r, const Task *m, uint32_t id)
{
	struct task *t = r->tree.task.v[id];

	if (!m->has_parent_thread || !t->parent)
		return 0;
	if (m->parent_thread >= r->tree.thread.n ||
	    r->tree.thread.v[m->parent_thread]->task != t->parent)
		return bad("a task was made by a thread that its parent does not have", id);
	t->parent_thread = r->tree.thread.v[m->parent_thread];
	return 0;
}

static int read_threads(struct restore *r, struct map *pids)
{
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;
	int k = image_open(r->set, "thread", &i);

	if (k)
		return k == -ENOENT ? fail(-EPROTO, "broken checkpoint: no image of threads") : k;
	while ((k = image_next(i, &thread__descriptor, &id, &m)) > 0) {
		k = read_thread(r, (const Thread *)m, id, pids);
		if (k)
			return k;
	}
	return k;
}

/* Shared objects belong to the first task that has them: that one must name itself. */
static int check_owners(const struct tree *tree)
{
	vec_foreach(p, &tree->task) {
		const struct task *t = *p;

		if (t->state == TASK_ZOMBIE)
			continue;
		if (!t->thread.n || !task_main(t))
			return bad("a live task has no live thread", t->index);
		if (tree->task.v[t->mm]->mm != t->mm || tree->task.v[t->files]->files != t->files ||
		    tree->task.v[t->fs]->fs != t->fs ||
		    tree->task.v[t->sighand]->sighand != t->sighand)
			return bad("a shared object has no owner", t->index);
	}
	return 0;
}

int tree_read(struct restore *r)
{
	struct task_messages msgs = { 0 };
	struct map pids;
	int k;

	map_init(&pids, &r->arena);
	k = read_tasks(r, &pids, &msgs);
	k = k ?: read_threads(r, &pids);
	for (uint32_t i = 0; !k && i < msgs.v.n; i++)
		k = find_parent_thread(r, msgs.v.v[i], i);
	return k ?: check_owners(&r->tree);
}
