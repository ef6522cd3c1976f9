/*
 * The first look at a tree, from outside and before anything is stopped: who is in it, and what
 * stands against a dump that needs no stop to be seen. A tree may change between this and the
 * freeze, so the list serves refusal and sizing only; the freeze collects anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/err.h"
#include "core/stop/namespaces.h"
#include "core/stop/sleep.h"
#include "core/stop/victim.h"
#include "kernel/proc-list.h"
#include "kernel/proc-status.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

static int block(struct dump *d, pid_t pid, const char *reason, const char *remedy)
{
	return refuse(&d->blockers, pid, "the task", reason, remedy);
}

static int look_at_status(struct dump *d, pid_t pid, const struct proc_status *s)
{
	char reason[80];

	if (s->kthread)
		return block(d, pid, "it is a thread of the kernel", "give the pid of a program");
	if (pid == d->opt->pid && (s->state == 'Z' || s->state == 'X'))
		return block(d, pid, "it has ended and waits for its parent", NULL);
	if (pid == (pid_t)sys(SYS_getpid))
		return block(d, pid, "it is the tool itself, which cannot stop itself",
			     "start the tool outside of the tree");
	if (!s->tracer_pid)
		return 0;
	(void)snprintf(reason, sizeof(reason), "process %d traces it", s->tracer_pid);
	return block(d, pid, reason, "end the debugger or tracer first");
}

/* A dead leader tells nothing of its namespaces: then every thread is asked for all of them. */
static int look_at_threads(struct dump *d, const struct proc_dir *dir, bool dead_leader)
{
	struct proc_list threads, children;
	struct span text;
	int r = 0;

	if (proc_list_at(&d->arena, dir->fd, "task", &threads))
		return 0; /* it ended meanwhile */
	d->seen_threads += threads.n;
	for (size_t i = 0; i < threads.n; i++) {
		char path[48];

		r = namespaces_look(d, dir->fd, dir->pid, threads.v[i],
				    dead_leader || threads.v[i] == dir->pid) ?: r;
		sleep_look(d, dir->fd, threads.v[i]);
		(void)snprintf(path, sizeof(path), "task/%d/children", threads.v[i]); /* fits */
		if (proc_read(&d->arena, dir, path, &text) ||
		    proc_list_parse(&d->arena, text, &children))
			continue; /* as above */
		for (size_t k = 0; k < children.n; k++)
			*vec_push(&d->arena, &d->seen) = children.v[k];
	}
	return r;
}

static int look_at(struct dump *d, pid_t pid)
{
	_proc_close_ struct proc_dir dir = { .fd = -1 };
	struct proc_status status;
	struct span text;
	int r = proc_open(pid, &dir), e;

	r = r ?: proc_read_record(&d->arena, &dir, "status", &text);
	if ((r == -ENOENT || r == -ESRCH) && pid == d->opt->pid)
		return block(d, pid, "there is no such process", NULL);
	if (r == -ENOENT || r == -ESRCH)
		return 0; /* it ended meanwhile */
	if (r)
		return fail(r, "look at process %d", pid);
	r = proc_status_parse(&d->arena, text, &status);
	if (r)
		return fail(r, "the status of process %d is malformed", pid);
	if (pid == d->opt->pid && status.tgid != pid)
		return block(d, pid, "it is a thread, not a process",
			     "give the pid of its process");
	r = look_at_status(d, pid, &status);
	e = look_at_threads(d, &dir, status.state == 'Z'); /* its children's blockers as well */
	return r && r != -ENOTSUP ? r : e ?: r;
}

int victim_look(struct dump *d)
{
	int r = namespaces_own(&d->arena, d->ns);

	*vec_push(&d->arena, &d->seen) = d->opt->pid;
	for (size_t i = 0; i < d->seen.n; i++) {
		int e = look_at(d, d->seen.v[i]);

		r = r && r != -ENOTSUP ? r : e ?: r;
	}
	return r;
}
