/*
 * A process that catches every signal it can and blocks them all, one of whose threads has them all
 * pending as well: nothing may be taken from it.
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>

static volatile sig_atomic_t count;

static void on_signal(int sig)
{
	(void)sig;
	count++;
}

static void waiter(void *arg)
{
	const uint64_t all = ~0ull;
	uint64_t pending = 0, mask = 0;

	must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
	for (int sig = 1; arg && sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != SIGCONT)
			must(tgkill(getpid(), gettid(), sig));
	checkpoint_wait();
	must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, 8));
	check(mask == ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1)), "%#lx", mask);
	must(syscall(SYS_rt_sigpending, &pending, 8));
	check((pending != 0) == !!arg && count == 0, "%#lx pending, %d came", pending, count);
}

static void run(void *arg)
{
	struct sigaction sa = { .sa_handler = on_signal };

	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33)
			must(sigaction(sig, &sa, NULL));
	thread_run(waiter, arg);
	thread_run(waiter, NULL);
	waiter(NULL);
}

int main(void)
{
	task_run(run, NULL);
	task_run(run, "pending");
	checkpoint();
	return test_end();
}
