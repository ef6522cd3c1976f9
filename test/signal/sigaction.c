/*
 * Dispositions of all signals: handlers with each flag and mask, ignored and default ones, through
 * the raw call so that the restorer and every flag bit are compared too.
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>

struct raw_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static void handler(int sig)
{
	(void)sig;
}

static bool settable(int sig)
{
	return sig != SIGKILL && sig != SIGSTOP && sig != GO_SIGNAL;
}

static void set_disposition(int sig)
{
	static const int flags[] = {
		0, SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_ONSTACK, SA_NOCLDSTOP | SA_NOCLDWAIT};
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags[sig % 6]};

	if (sig % 7 == 3)
		sa.sa_handler = SIG_IGN;
	else if (sig % 7 == 5)
		sa.sa_handler = SIG_DFL;
	sigaddset(&sa.sa_mask, 1 + sig * 5 % 31);
	sigaddset(&sa.sa_mask, 34 + sig % 30);
	must(sigaction(sig, &sa, NULL));
}

int main(void)
{
	struct raw_sigaction before[65] = {0}, after;

	for (int sig = 1; sig <= 64; sig++) {
		if (settable(sig) && sig != 32 && sig != 33)
			set_disposition(sig);
		must(syscall(SYS_rt_sigaction, sig, NULL, &before[sig], 8));
	}
	checkpoint();
	for (int sig = 1; sig <= 64; sig++) {
		must(syscall(SYS_rt_sigaction, sig, NULL, &after, 8));
		check(!memcmp(&after, &before[sig], sizeof(after)),
		      "signal %d: handler %p flags %#lx", sig, after.handler, after.flags);
	}
	return test_end();
}
