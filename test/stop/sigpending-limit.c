/*
 * No room for queued signals (RLIMIT_SIGPENDING 0): those queued before come back all the same, and
 * the limit does.
 */
#include "test.h"

#include <signal.h>
#include <sys/resource.h>

enum { RT = 40, COUNT = 3 };

static void run(void *arg)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit now;
	siginfo_t info;
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, RT);
	sigaddset(&set, SIGUSR1);
	must_true(!sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < COUNT; i++)
		must(sigqueue(getpid(), RT, (union sigval){ .sival_int = i }));
	must(setrlimit(RLIMIT_SIGPENDING, &none));
	must(kill(getpid(), SIGUSR1));
	checkpoint_wait();
	check(!getrlimit(RLIMIT_SIGPENDING, &now) && !now.rlim_cur && !now.rlim_max);
	check(sigtimedwait(&set, &info, &(struct timespec){ 0, 0 }) == SIGUSR1);
	for (int i = 0; i < COUNT; i++)
		check(sigtimedwait(&set, &info, &(struct timespec){ 0, 0 }) == RT &&
		      info.si_value.sival_int == i);
	check(sigtimedwait(&set, &info, &(struct timespec){ 0, 0 }) < 0 && errno == EAGAIN);
}

int main(void)
{
	task_run(run, NULL);
	checkpoint();
	return test_end();
}
