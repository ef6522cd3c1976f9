/*
 * POSIX timers with gaps in their numbers, on several clocks, with each way to notify; settings and
 * numbers come back, and a timer made afterwards does not collide. Raw calls, since libc hides the
 * kernel's numbers.
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

enum { COUNT = 10, GAP = 3 };

struct timer {
	clockid_t clock;
	int notify, flags;
	struct itimerspec set, before;
	int id;
};

static struct timer timers[COUNT] = {
	{CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, {{10, 1}, {4000, 7}}, {}, 0},
	{CLOCK_REALTIME, SIGEV_NONE, 0, {{0, 0}, {5000, 0}}, {}, 0},
	{CLOCK_BOOTTIME, SIGEV_SIGNAL, 0, {{0, 500}, {6000, 0}}, {}, 0},
	{CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, {{0, 0}, {0, 0}}, {}, 0},
	{CLOCK_MONOTONIC, SIGEV_THREAD_ID, 0, {{3, 0}, {7000, 0}}, {}, 0},
	{CLOCK_REALTIME, SIGEV_SIGNAL, TIMER_ABSTIME, {{60, 0}, {4102444800, 0}}, {}, 0},
	{CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, 0, {{1, 0}, {8000, 0}}, {}, 0},
	{CLOCK_MONOTONIC, SIGEV_NONE, 0, {{0, 0}, {0, 0}}, {}, 0},
	{CLOCK_REALTIME, SIGEV_SIGNAL, 0, {{9, 9}, {9000, 9}}, {}, 0},
	{CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, {{0, 1000000}, {0, 1000000}}, {}, 0},
};

static int create(const struct timer *t, int i)
{
	struct sigevent event = {.sigev_notify = t->notify, .sigev_signo = SIGRTMIN + i};
	int id = -1;

	event.sigev_value.sival_ptr = (void *)(0x1234500000000 + (uintptr_t)i);
	event._sigev_un._tid = gettid();
	must(syscall(SYS_timer_create, t->clock, &event, &id));
	return id;
}

static void test_one(const struct timer *t, int i)
{
	struct itimerspec now;

	if (!check(!syscall(SYS_timer_gettime, t->id, &now), "timer %d", i))
		return;
	check(!memcmp(&now.it_interval, &t->set.it_interval, sizeof(now.it_interval)), "timer %d",
	      i);
	check((now.it_value.tv_sec || now.it_value.tv_nsec) ==
		      (t->before.it_value.tv_sec || t->before.it_value.tv_nsec),
	      "timer %d", i);
	check(now.it_value.tv_sec <= t->before.it_value.tv_sec &&
		      now.it_value.tv_sec >= t->before.it_value.tv_sec - 600,
	      "timer %d has %ld s", i, (long)now.it_value.tv_sec);
}

int main(void)
{
	siginfo_t info;
	sigset_t rt;
	int extra;

	sigfillset(&rt);
	must(sigprocmask(SIG_BLOCK, &rt, NULL));
	for (int i = 0; i < COUNT; i++) {
		for (int k = 0; k < i % GAP; k++)
			must(syscall(SYS_timer_delete, create(&timers[0], 0)));
		timers[i].id = create(&timers[i], i);
		must(syscall(SYS_timer_settime, timers[i].id, timers[i].flags, &timers[i].set,
			     NULL));
		must(syscall(SYS_timer_gettime, timers[i].id, &timers[i].before));
	}
	checkpoint();
	for (int i = 0; i < COUNT - 1; i++)
		test_one(&timers[i], i);
	/* The last one fires all the time: its signal is pending or comes, with the value it was
	 * made with. */
	sigemptyset(&rt);
	sigaddset(&rt, SIGRTMIN + COUNT - 1);
	check(sigwaitinfo(&rt, &info) == SIGRTMIN + COUNT - 1 && info.si_code == SI_TIMER &&
	      info.si_timerid == timers[COUNT - 1].id);
	check(info.si_ptr == (void *)(0x1234500000000 + COUNT - 1), "value %p", info.si_ptr);
	check(syscall(SYS_timer_getoverrun, timers[COUNT - 1].id) >= 0);
	extra = create(&timers[0], 0);
	for (int i = 0; i < COUNT; i++)
		check(timers[i].id != extra);
	return test_end();
}
