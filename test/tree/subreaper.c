/*
 * Subreapers: an orphan made after the checkpoint goes to the nearest one above it, also below a
 * task that was born before the flag was set; one that was orphaned before stays where it went.
 */
#include "test.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct shared {
	pid_t reaper, orphan, old_orphan;
	uint32_t born, made, orphaned, ended;
} *shared;

static _Noreturn void become_orphan(pid_t *pid)
{
	pid_t parent = getpid();

	if (must(fork()))
		_exit(0);
	while (getppid() == parent) /* until it has ended */
		sched_yield();
	*pid = getpid();
	event_add(&shared->made);
	event_wait(&shared->ended, 1);
	_exit(0);
}

/* Born before its parent became a subreaper. */
static void below(void *arg)
{
	pid_t pid;

	(void)arg;
	event_add(&shared->born);
	checkpoint_wait();
	pid = fork();
	if (!pid)
		become_orphan(&shared->orphan);
	check(waitpid(pid, NULL, 0) == pid);
	event_add(&shared->orphaned);
}

static pid_t parent_of(pid_t pid)
{
	char path[32], value[32] = "";

	snprintf(path, sizeof(path), "../%d/status", pid);
	return proc_value(path, "PPid", value, sizeof(value)) ? (pid_t)strtol(value, NULL, 10) : -1;
}

static void reaper(void *arg)
{
	int flag = 0;
	pid_t pid;

	(void)arg;
	shared->reaper = getpid();
	task_run(below, NULL);
	event_wait(&shared->born, 1);
	pid = must(fork());
	if (!pid)
		become_orphan(&shared->old_orphan); /* the root gets it: no flag here yet */
	must_true(waitpid(pid, NULL, 0) == pid);
	event_wait(&shared->made, 1);
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	checkpoint_wait();
	check(!prctl(PR_GET_CHILD_SUBREAPER, &flag) && flag == 1);
	event_wait(&shared->made, 2);
	event_wait(&shared->orphaned, 1);
	check(parent_of(shared->orphan) == getpid(), "the orphan went to %d",
	      parent_of(shared->orphan));
	event_add(&shared->ended);
	check(waitpid(shared->orphan, NULL, 0) == shared->orphan);
}

int main(void)
{
	shared = shared_alloc(4096);
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	task_run(reaper, NULL);
	event_wait(&shared->made, 1);
	checkpoint();
	check(parent_of(shared->old_orphan) == getpid());
	event_wait(&shared->ended, 1);
	check(waitpid(shared->old_orphan, NULL, 0) == shared->old_orphan);
	return test_end();
}
