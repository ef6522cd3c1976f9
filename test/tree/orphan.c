/*
 * Groups and sessions whose leader is dead: only their number lives on in the members. The root is
 * a subreaper, so that what the dying leaders leave behind stays in the tree.
 */
#include "test.h"

#include <sys/prctl.h>
#include <sys/wait.h>

struct member {
	pid_t pid, pgid, sid;
};

static struct member *members;

static void stay(void *arg)
{
	struct member *m = arg;

	*m = (struct member){ getpid(), getpgid(0), getsid(0) };
	checkpoint_wait();
	check(getpid() == m->pid && getpgid(0) == m->pgid && getsid(0) == m->sid,
	      "group %d session %d", getpgid(0), getsid(0));
}

/* Leads a session, or a group of the root's session, and dies with its members alive. */
static void leader(long i)
{
	if (i & 1)
		must(setsid());
	else
		must(setpgid(0, 0));
	task_run(stay, &members[2 * i]);
	if (!task_fork()) {
		/* A group of its own inside the session of the dead. */
		must(setpgid(0, 0));
		stay(&members[2 * i + 1]);
		_exit(test_end());
	}
	_exit(0);
}

int main(void)
{
	enum { LEADERS = 4 };
	int status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	members = shared_alloc(4096);
	checkpoint_prepare();
	for (long i = 0; i < LEADERS; i++) {
		pid_t pid = must(fork());

		if (!pid)
			leader(i);
		must_true(waitpid(pid, &status, 0) == pid && status == 0);
	}
	checkpoint();
	for (int i = 0; i < 2 * LEADERS; i++) {
		pid_t pid = wait(&status);

		check(pid > 0 && status == 0, "task %d ends with %#x", pid, status);
	}
	return test_end();
}
