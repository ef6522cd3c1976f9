/*
 * Children that tell their end by another signal than SIGCHLD, or by none: such are found only by
 * a wait that asks for them.
 */
#include "test.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t clone_with(int exit_signal)
{
	pid_t pid;

	pid = must((pid_t)syscall(SYS_clone, exit_signal, NULL, NULL, NULL, NULL));
	if (!pid)
		for (;;)
			pause();
	return pid;
}

int main(void)
{
	static const int signals[] = { 0, SIGUSR1, SIGCHLD, 45 };
	enum { COUNT = sizeof(signals) / sizeof(signals[0]) };
	pid_t pid[COUNT];
	sigset_t all;
	int status;

	sigfillset(&all);
	must(sigprocmask(SIG_BLOCK, &all, NULL));
	for (int i = 0; i < COUNT; i++)
		pid[i] = clone_with(signals[i]);
	checkpoint();
	for (int i = 0; i < COUNT; i++) {
		siginfo_t info = { 0 };

		check(!kill(pid[i], SIGKILL));
		check(waitpid(pid[i], &status, __WALL) == pid[i] && WIFSIGNALED(status));
		status = sigtimedwait(&all, &info, &(struct timespec){ 0, 0 });
		check(status == (signals[i] ? signals[i] : -1), "signal %d, not %d", status,
		      signals[i]);
	}
	return test_end();
}
