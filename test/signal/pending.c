/*
 * Blocked signals that wait: standard and real-time ones, for the process and for single threads,
 * several of the same number with payloads. They come back in order, each once, with their siginfo.
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

enum { RT = 40, QUEUED = 5 };

static void queue(pid_t tid, int sig, long value)
{
	siginfo_t info = {.si_signo = sig, .si_code = SI_QUEUE, .si_errno = value % 7};

	info.si_pid = getpid();
	info.si_uid = 4242;
	info.si_ptr = (void *)value;
	if (tid)
		must(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info));
	else
		must(syscall(SYS_rt_sigqueueinfo, getpid(), sig, &info));
}

static void expect(int sig, int code, long value)
{
	siginfo_t info = {0};
	const uint64_t set = 1ull << (sig - 1);
	int got;

	/* Raw: libc turns SI_TKILL into SI_USER. */
	got = (int)syscall(SYS_rt_sigtimedwait, &set, &info, &(struct timespec){0, 0}, sizeof(set));
	if (!check(got == sig, "signal %d: got %d", sig, got))
		return;
	check(info.si_code == code && info.si_pid == getpid(), "signal %d: code %d pid %d", sig,
	      info.si_code, info.si_pid);
	if (code == SI_QUEUE)
		check(info.si_ptr == (void *)value && info.si_uid == 4242 &&
			      info.si_errno == value % 7,
		      "signal %d: value %p", sig, info.si_ptr);
}

static void expect_none(void)
{
	sigset_t all;

	sigfillset(&all);
	check(sigtimedwait(&all, NULL, &(struct timespec){0, 0}) < 0 && errno == EAGAIN);
}

static void thread(void *arg)
{
	long base = (long)arg;

	for (int i = 0; i < QUEUED; i++)
		queue(gettid(), RT, base + i);
	must(tgkill(getpid(), gettid(), SIGUSR2));
	checkpoint_wait();
	for (int i = 0; i < QUEUED; i++)
		expect(RT, SI_QUEUE, base + i);
	expect(SIGUSR2, SI_TKILL, 0);
}

int main(void)
{
	sigset_t all;

	sigfillset(&all);
	must(sigprocmask(SIG_BLOCK, &all, NULL));
	thread_run(thread, (void *)1000L);
	thread_run(thread, (void *)2000L);
	for (int i = 0; i < QUEUED; i++) {
		queue(0, RT + 1, 3000 + i);
		queue(gettid(), RT + 2, 4000 + i);
	}
	must(kill(getpid(), SIGTERM));
	must(kill(getpid(), SIGTERM));
	must(kill(getpid(), SIGTRAP));
	queue(0, SIGHUP, 5000);
	checkpoint();
	thread_join_all();
	for (int i = 0; i < QUEUED; i++)
		expect(RT + 1, SI_QUEUE, 3000 + i);
	for (int i = 0; i < QUEUED; i++)
		expect(RT + 2, SI_QUEUE, 4000 + i);
	expect(SIGTERM, SI_USER, 0);
	expect(SIGTRAP, SI_USER, 0);
	expect(SIGHUP, SI_QUEUE, 5000);
	expect_none();
	return test_end();
}
