/*
 * Sessions and groups in the ways programs make them: a child of a sibling (CLONE_PARENT) in the
 * sibling's session, a task that changed its session after its child was born, a daemon (child of a
 * child that ended) below a subreaper, and a group that a signal to -pgid still reaches.
 * harness: versions
 */
#include "test.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct ids {
	pid_t pid, ppid, pgid, sid;
};

static struct ids *slot, *slots;
static uint32_t *arrived;

static struct ids ids_now(void)
{
	return (struct ids){ getpid(), getppid(), getpgid(0), getsid(0) };
}

static _Noreturn void stay(struct ids *mine)
{
	struct ids now;

	*mine = ids_now();
	event_add(arrived);
	checkpoint_wait();
	now = ids_now();
	check(!memcmp(&now, mine, sizeof(now)), "pid %d parent %d group %d session %d", now.pid,
	      now.ppid, now.pgid, now.sid);
	_exit(test_end());
}

/* Its sibling is a child of the root, in the session that this one founded. */
static void with_sibling(void)
{
	must(setsid());
	if (!task_clone(CLONE_PARENT))
		stay(slot + 1);
	_exit(0); /* the leader is gone, its sibling stays */
}

static void with_sibling_alive(void)
{
	must(setsid());
	if (!must((pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL)))
		stay(slot + 1);
	stay(slot);
}

/* The child is in the session between the root's and the final one. */
static void twice(void)
{
	must(setsid());
	if (!task_fork())
		stay(slot + 1);
	if (!task_fork()) {
		if (!task_fork())
			stay(slot + 2);
		must(setsid());
		if (!task_fork())
			stay(slot + 3);
		stay(slot + 4);
	}
	stay(slot);
}

static void daemon_of_daemon(void)
{
	pid_t maker = getpid();

	must(setsid());
	if (task_fork())
		_exit(0);
	while (getppid() == maker)
		(void)sched_yield(); /* until it has ended */
	must(setpgid(0, 0));
	if (!task_fork())
		stay(slot + 1);
	stay(slot);
}

static _Noreturn void wait_for_death(void)
{
	for (;;)
		pause();
}

/* Three children in one group with their parent, which alone ignores the signal. */
static void group(void)
{
	must(setpgid(0, 0));
	for (int i = 0; i < 3; i++)
		if (!must(fork()))
			wait_for_death();
	*slot = ids_now();
	must_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	event_add(arrived);
	checkpoint_wait();
	check(!kill(-slot->pgid, SIGUSR1));
	for (int i = 0; i < 3; i++) {
		int status = 0;

		check(wait(&status) > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1,
		      "status %#x", status);
	}
	_exit(test_end());
}

int main(void)
{
	static void (*const ways[])(void) = { with_sibling, with_sibling_alive, twice,
					      daemon_of_daemon, group };
	static const int more[] = { 1, 2, 5, 2, 1 };
	enum { COUNT = sizeof(ways) / sizeof(ways[0]), SLOTS = 8 };
	int left = 0, status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	slots = shared_alloc(4096);
	arrived = shared_alloc(4096);
	checkpoint_prepare();
	for (int i = 0; i < COUNT; i++) {
		pid_t pid = must(fork());

		slot = slots + (size_t)i * SLOTS;
		if (!pid)
			ways[i]();
		if (i == 0 || i == 3)
			must_true(waitpid(pid, &status, 0) == pid && status == 0);
		left += more[i];
	}
	event_wait(arrived, (uint32_t)left);
	checkpoint();
	for (pid_t pid; (pid = wait(&status)) > 0;)
		check(status == 0, "task %d ends with %#x", pid, status);
	return test_end();
}
