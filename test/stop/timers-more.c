/*
 * POSIX timers as programs have them: numbers above sixty with gaps, libc's helper thread for
 * SIGEV_THREAD with a period of 10 ms, a value of NULL, a one-shot as far away as an int of
 * milliseconds reaches, and an overrun that keeps counting.
 */
/* harness: moves */
#include "test.h"

#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

enum { TICKS = 5 };

static uint32_t *ticks;

static void on_tick(union sigval value)
{
	check(value.sival_ptr == ticks);
	event_add(ticks);
}

static void helper_thread(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_tick };
	struct itimerspec set = { { 0, 10000000 }, { 0, 10000000 } };
	timer_t id;

	e.sigev_value.sival_ptr = ticks;
	must(timer_create(CLOCK_MONOTONIC, &e, &id));
	must(timer_settime(id, 0, &set, NULL));
	event_wait(ticks, 1);
}

static int raw_timer(int sig, const struct itimerspec *set)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig };
	int id = -1;

	must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
	must(syscall(SYS_timer_settime, id, 0, set, NULL));
	return id;
}

int main(void)
{
	const struct itimerspec far = { { 0, 0 }, { INT_MAX / 1000, (INT_MAX % 1000) * 1000000 } };
	const struct itimerspec fast = { { 0, 1000000 }, { 0, 1000000 } };
	struct itimerspec before, now;
	siginfo_t info;
	sigset_t set;
	int id = -1, fast_id;
	uint32_t seen;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	ticks = shared_alloc(4096);
	helper_thread();
	while (id < 66) {
		if (id >= 0)
			must(syscall(SYS_timer_delete, id));
		id = raw_timer(SIGUSR1, &far);
	}
	must(syscall(SYS_timer_gettime, id, &before));
	fast_id = raw_timer(SIGUSR2, &fast);
	checkpoint();
	check(!syscall(SYS_timer_gettime, id, &now) && now.it_value.tv_sec > 0 &&
		      now.it_value.tv_sec <= before.it_value.tv_sec,
	      "%ld s", now.it_value.tv_sec);
	check(sigtimedwait(&set, &info, &(struct timespec){ 10, 0 }) == SIGUSR2 &&
	      info.si_code == SI_TIMER && info.si_timerid == fast_id && info.si_ptr == NULL);
	check(sigtimedwait(&set, &info, &(struct timespec){ 10, 0 }) == SIGUSR2);
	check(syscall(SYS_timer_getoverrun, fast_id) >= 0);
	seen = __atomic_load_n(ticks, __ATOMIC_SEQ_CST);
	event_wait(ticks, seen + TICKS);
	return test_end();
}
