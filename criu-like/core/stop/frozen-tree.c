/*
 * From stopped threads to the model: which processes are left, what they are (alive, zombie, a dead
 * leader with live threads), who is whose child. Everything is read from /proc now, when it cannot
 * change any more. A zombie only has its numbers, its name and its exit status; of a dead leader
 * the kernel has dropped memory and descriptors, so /proc of a live thread is looked at instead.
 */
#include "core/stop/frozen-tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "kernel/proc-stat.h"
#include "kernel/proc-status.h"
#include "kernel/sys.h"

enum { PIDFD_OF_THREAD = O_EXCL }; /* 6.9+ */

static bool survives(const struct victim_tree *vt, const struct victim_task *t)
{
	return !t->gone && (t->reached || t == vt->task.v[0]);
}

static struct thread *add_thread(struct dump *d, struct victim_task *t, pid_t tid)
{
	struct thread *th = arena_new(&d->arena, struct thread);

	th->tid = tid;
	th->task = t->task;
	*vec_push(&d->arena, &t->task->thread) = th;
	return th;
}

/* Threads of a live process, leader first; a leader that died before them keeps its place. */
static void add_threads(struct dump *d, struct victim_task *t)
{
	struct victim_thread *leader = stopped_find(d->victims, t->task->pid);
	struct thread *th = add_thread(d, t, t->task->pid);

	th->dead = !leader || leader->gone;
	t->task->state = th->dead ? TASK_DEAD_LEADER : TASK_ALIVE;
	if (!th->dead) {
		leader->thread = th;
		th->victim = leader;
	}
	vec_foreach(v, &t->thread)
		if (!(*v)->gone && *v != leader) {
			(*v)->thread = add_thread(d, t, (*v)->tid);
			(*v)->thread->victim = *v;
		}
	vec_foreach(v, &t->thread)
		if (!(*v)->gone && (*v)->group_stop)
			t->task->stop_signal = (uint32_t)(*v)->group_stop;
}

static int describe(struct dump *d, struct task *t)
{
	struct proc_stat *s = arena_new(&d->arena, struct proc_stat);
	struct victim_thread *leader = t->state == TASK_ALIVE ? t->thread.v[0]->victim : NULL;
	struct proc_status status;
	int r = stopped_parse_stat(d, t, 0, s);

	if (r >= 0 && leader)
		r = stopped_look(d, leader);
	else if (r >= 0)
		r = stopped_parse_status(d, t, t->pid, &status);
	if (r < 0)
		return r;
	if (leader)
		status = *leader->status;
	t->stat = s;
	t->pgid = s->pgrp;
	t->sid = s->session;
	t->exit_signal = (uint32_t)s->exit_signal;
	t->exit_status = t->state == TASK_ALIVE ? 0 : (uint32_t)s->exit_code;
	t->start_time = s->start_time;
	memcpy(t->comm, s->comm, sizeof(t->comm) - 1);
	memcpy(t->uid, status.uid, sizeof(t->uid));
	memcpy(t->gid, status.gid, sizeof(t->gid));
	t->sigblk = status.sigblk;
	t->sigign = status.sigign;
	t->sigcgt = status.sigcgt;
	if (t->state == TASK_DEAD_LEADER)
		t->thread.v[0]->status = arena_memdup(&d->arena, &status, sizeof(status));
	return 0;
}

/* What the leader's files cannot tell any more is asked of a thread that lives. */
static int look_through_live_thread(struct task *t)
{
	pid_t tid = task_main(t)->tid;
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d", tid); /* always fits */
	fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fail(fd, "open '%s'", path);
	(void)sys(SYS_close, t->proc_fd); /* a directory */
	t->proc_fd = fd;
	fd = (int)sys(SYS_pidfd_open, tid, PIDFD_OF_THREAD);
	if (fd < 0)
		return fail(fd, "task %d: its leader has exited, and a descriptor of thread %d",
			    t->pid, tid);
	if (t->pidfd >= 0)
		(void)sys(SYS_close, t->pidfd); /* no data behind it */
	t->pidfd = fd;
	return 0;
}

static int join_tree(struct dump *d, struct victim_task *t)
{
	size_t live = 0;
	int r;

	vec_foreach(v, &t->thread)
		live += !(*v)->gone;
	t->task->state = TASK_ZOMBIE;
	if (live)
		add_threads(d, t);
	r = describe(d, t->task);
	if (r == -ENOENT || r == -ESRCH) {
		t->gone = true; /* reaped during the freeze */
		return 0;
	}
	if (r < 0)
		return fail(r, "task %d: stat and status", t->task->pid);
	if (!live && t->task->stat->state != 'Z') {
		t->gone = true;
		return 0;
	}
	t->task->index = (uint32_t)d->tree.task.n;
	*vec_push(&d->arena, &d->tree.task) = t->task;
	if (t->task->parent)
		*vec_push(&d->arena, &t->task->parent->child) = t->task;
	vec_foreach(th, &t->task->thread) {
		(*th)->index = (uint32_t)d->tree.thread.n;
		*vec_push(&d->arena, &d->tree.thread) = *th;
	}
	return t->task->state == TASK_DEAD_LEADER ? look_through_live_thread(t->task) : 0;
}

int frozen_tree_build(struct dump *d)
{
	struct victim_tree *vt = d->victims;
	int r = 0;

	vec_foreach(t, &vt->task) {
		if (r >= 0 && survives(vt, *t))
			r = join_tree(d, *t);
		if (r >= 0 && (*t)->parent_tid) {
			struct victim_thread *p = stopped_find(vt, (*t)->parent_tid);

			(*t)->task->parent_thread = p ? p->thread : NULL;
		}
	}
	if (r >= 0 && !d->tree.task.n)
		return fail(-ESRCH, "process %d", d->opt->pid);
	return r;
}
