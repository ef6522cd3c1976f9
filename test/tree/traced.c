/*
 * A tree with a tracer of its own: refused, and tracer and traced task go on as if nothing had
 * been; the signal the traced one stands in front of keeps its sender.
 */
/* harness: refused */
#include "test.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static volatile sig_atomic_t sender;

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	sender = info->si_pid;
}

static _Noreturn void traced(void)
{
	struct sigaction sa = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };

	must(sigaction(SIGUSR1, &sa, NULL));
	must(ptrace(PTRACE_TRACEME, 0, 0, 0));
	raise(SIGUSR1);
	_exit(sender == getpid() ? 42 : 1);
}

int main(void)
{
	siginfo_t info;
	int status;
	pid_t pid = must(fork());

	if (!pid)
		traced();
	must_true(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	checkpoint();
	check(!ptrace(PTRACE_GETSIGINFO, pid, 0, &info) && info.si_pid == pid &&
	      info.si_signo == SIGUSR1);
	check(!ptrace(PTRACE_CONT, pid, 0, SIGUSR1));
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42,
	      "status %#x", status);
	return test_end();
}
