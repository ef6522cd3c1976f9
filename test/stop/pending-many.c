/*
 * Sixty-four entries of one real-time signal for a thread and as many for the process, with every
 * kind of si_code a program can make (0 and negative ones down to -72) and all payload bytes.
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>

enum { COUNT = 64, OWN = 44, SHARED = 45, CODES = 73 };

static void fill(siginfo_t *info, int sig, int i)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = -((i * 7) % CODES);
	if (info->si_code == 0 || info->si_code == SI_TKILL)
		info->si_code = SI_QUEUE;
	if (i == COUNT - 1)
		info->si_code = -72;
	info->si_errno = i * 3;
	/* Behind three words lie 112 bytes of payload; the kernel's layouts take 12 for unknown
	 * codes. */
	pattern_fill((char *)info + 16, 12, (uint64_t)(sig * 100 + i));
}

static void compare(int sig, int i)
{
	const uint64_t set = 1ull << (sig - 1);
	siginfo_t want, got;
	int r;

	memset(&got, 0, sizeof(got));
	fill(&want, sig, i);
	r = (int)syscall(SYS_rt_sigtimedwait, &set, &got, &(struct timespec){ 0, 0 }, 8);
	check(r == sig && got.si_code == want.si_code && got.si_errno == want.si_errno &&
		      !memcmp((char *)&got + 16, (char *)&want + 16, 12),
	      "signal %d entry %d: %d code %d errno %d", sig, i, r, got.si_code, got.si_errno);
}

static void thread(void *arg)
{
	siginfo_t info;

	(void)arg;
	for (int i = 0; i < COUNT; i++) {
		fill(&info, OWN, i);
		must(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), OWN, &info));
	}
	checkpoint_wait();
	for (int i = 0; i < COUNT; i++)
		compare(OWN, i);
}

int main(void)
{
	siginfo_t info;
	sigset_t all;

	sigfillset(&all);
	must(sigprocmask(SIG_BLOCK, &all, NULL));
	thread_run(thread, NULL);
	for (int i = 0; i < COUNT; i++) {
		fill(&info, SHARED, i);
		must(syscall(SYS_rt_sigqueueinfo, getpid(), SHARED, &info));
	}
	checkpoint();
	thread_join_all();
	for (int i = 0; i < COUNT; i++)
		compare(SHARED, i);
	return test_end();
}
