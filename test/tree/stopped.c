/*
 * Stopped children: the state, the number of the signal and that the parent was not told yet come
 * back, and SIGCONT works, also where a second SIGSTOP came while stopped.
 */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>

static pid_t stopped_child(int sig)
{
	pid_t pid = must(fork());
	siginfo_t info;

	if (!pid) {
		/* Its own group, so that it is not orphaned: the kernel discards terminal stops in
		 * those. */
		must(setpgid(0, 0));
		raise(sig);
		_exit(sig);
	}
	must(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	must_true(info.si_code == CLD_STOPPED && info.si_status == sig);
	return pid;
}

int main(void)
{
	static const int sigs[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP};
	enum { COUNT = sizeof(sigs) / sizeof(sigs[0]) };
	pid_t pid[COUNT];
	int status;

	for (int i = 0; i < COUNT; i++)
		pid[i] = stopped_child(sigs[i]);
	must(kill(pid[COUNT - 1], SIGSTOP));
	checkpoint();
	for (int i = 0; i < COUNT; i++) {
		check(waitpid(pid[i], &status, WUNTRACED | WNOHANG) == pid[i] &&
			      WIFSTOPPED(status) && WSTOPSIG(status) == sigs[i],
		      "signal %d gives %#x", sigs[i], status);
		check(!kill(pid[i], SIGCONT));
		check(waitpid(pid[i], &status, 0) == pid[i] && WIFEXITED(status) &&
			      WEXITSTATUS(status) == sigs[i],
		      "signal %d ends with %#x", sigs[i], status);
	}
	return test_end();
}
