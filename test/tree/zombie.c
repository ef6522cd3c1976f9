/*
 * Children that ended and were not waited for: their status words (codes above 127 too, and
 * signals) come back, with their groups and sessions, and each is told exactly once.
 */
#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const int ends[] = {0,	1,	  72,	    127,      128,	200,
			   255, -SIGKILL, -SIGTERM, -SIGSEGV, -SIGUSR1, -SIGALRM};
enum { COUNT = sizeof(ends) / sizeof(ends[0]) };

static void die(int end, int i)
{
	const struct rlimit no_core = {0, 0};

	if (i % 3 == 1)
		must(setpgid(0, 0));
	if (i % 3 == 2)
		must(setsid());
	if (end >= 0)
		_exit(end);
	must(setrlimit(RLIMIT_CORE, &no_core));
	kill(getpid(), -end);
	_exit(99);
}

int main(void)
{
	pid_t pid[COUNT];
	siginfo_t info;
	int status;

	for (int i = 0; i < COUNT; i++) {
		pid[i] = must(fork());
		if (!pid[i])
			die(ends[i], i);
		must(waitid(P_PID, pid[i], &info, WEXITED | WNOWAIT));
	}
	checkpoint();
	for (int i = 0; i < COUNT; i++) {
		check(waitpid(pid[i], &status, 0) == pid[i]);
		check(ends[i] >= 0 ? WIFEXITED(status) && WEXITSTATUS(status) == ends[i]
				   : WIFSIGNALED(status) && WTERMSIG(status) == -ends[i],
		      "end %d gives %#x", ends[i], status);
		check(waitpid(pid[i], &status, 0) < 0 && errno == ECHILD);
	}
	return test_end();
}
