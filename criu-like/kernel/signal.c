/*
 * Masks and dispositions by the kernel's own calls: 64-bit sets, no C library bookkeeping (it
 * refuses to block its two private signals, which a restored thread needs blocked). The kernel
 * queues a signal that is blocked even if it is ignored; who asks what is pending has to look at
 * the disposition too.
 */
#include "kernel/signal.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kernel/sys.h"

struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

int signal_set_mask(uint64_t mask)
{
	return (int)sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

int signal_block(uint64_t more)
{
	return (int)sys(SYS_rt_sigprocmask, SIG_BLOCK, &more, NULL, sizeof(more));
}

static int set_handler(int sig, void *handler)
{
	struct kernel_action a = { .handler = handler };

	return (int)sys(SYS_rt_sigaction, sig, &a, NULL, sizeof(a.mask));
}

void signal_ignore(int sig)
{
	(void)set_handler(sig, (void *)SIG_IGN); /* fails only for SIGKILL, SIGSTOP */
}

void signal_default(int sig)
{
	(void)set_handler(sig, (void *)SIG_DFL); /* as above */
}

int signal_pose(uint64_t blocked, uint64_t ignored, uint64_t caught)
{
	void *const nowhere = (void *)8;
	int r = 0;

	for (int sig = 1; sig <= 64 && !r; sig++) {
		void *handler = caught & SIGNAL_BIT(sig) ? nowhere : (void *)SIG_DFL;

		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		r = set_handler(sig, (void *)SIG_IGN); /* also drops it where it is pending */
		if (!r && !(ignored & SIGNAL_BIT(sig)))
			r = set_handler(sig, handler);
	}
	return r ? r : (int)sys(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL, sizeof(blocked));
}

void signal_no_core(void)
{
	struct rlimit none = { 0, 0 };

	(void)sys(SYS_setrlimit, RLIMIT_CORE, &none); /* lowering is always allowed */
}

static const int interrupts[] = { SIGINT, SIGTERM, SIGHUP };

void signal_hold_interrupts(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof(interrupts) / sizeof(interrupts[0]); i++)
		set |= SIGNAL_BIT(interrupts[i]);
	(void)signal_block(
		set); /* without it a signal would end the tool at once, harming nobody */
}

static bool is_ignored(int sig)
{
	struct kernel_action a = { 0 };

	return !sys(SYS_rt_sigaction, sig, NULL, &a, sizeof(a.mask)) &&
	       a.handler == (void *)SIG_IGN;
}

int signal_interrupted(void)
{
	uint64_t pending = 0;

	if (sys(SYS_rt_sigpending, &pending, sizeof(pending)) < 0)
		return 0;
	for (size_t i = 0; pending && i < sizeof(interrupts) / sizeof(interrupts[0]); i++)
		if ((pending & SIGNAL_BIT(interrupts[i])) && !is_ignored(interrupts[i]))
			return interrupts[i];
	return 0;
}

int signal_take(uint64_t set, bool *ret_from_terminal)
{
	siginfo_t info;
	long r;

	do
		r = sys(SYS_rt_sigtimedwait, &set, &info, NULL, sizeof(set));
	while (r == -EINTR);
	if (r > 0)
		*ret_from_terminal = info.si_code == SI_KERNEL;
	return (int)r;
}

pid_t signal_reap(pid_t pid, bool now, int *ret_status)
{
	long r;

	do
		r = sys(SYS_wait4, pid, ret_status, __WALL | (now ? WNOHANG : 0), NULL);
	while (r == -EINTR);
	return (pid_t)r;
}
