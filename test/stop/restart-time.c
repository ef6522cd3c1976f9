/*
 * Relative sleeps that end after the checkpoint: with the right result, and not before their time.
 * That they do not last much longer is not asserted, since no test measures time.
 */
/* harness: moves */
#include "test.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

static const struct timespec period = { 1, 500000000 };

static long by_nanosleep(void)
{
	return syscall(SYS_nanosleep, &period, NULL);
}

static long by_nanosleep_with_rest(void)
{
	struct timespec rest;

	return syscall(SYS_nanosleep, &period, &rest);
}

static long by_clock_nanosleep(void)
{
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &period, NULL);
}

static long by_poll(void)
{
	return syscall(SYS_poll, NULL, 0, 1500);
}

static long by_futex(void)
{
	uint32_t word = 0;
	long r = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &period, NULL, 0);

	return r < 0 && errno == ETIMEDOUT ? 0 : r;
}

static void run(void *arg)
{
	long (*const *sleep)(void) = arg;
	struct timespec begin, end;
	long r, ms;

	checkpoint_arrive();
	must(clock_gettime(CLOCK_MONOTONIC, &begin));
	r = (*sleep)();
	check(r == 0, "gives %ld", r);
	must(clock_gettime(CLOCK_MONOTONIC, &end));
	ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
	check(ms >= 1500, "after %ld ms", ms);
	if (getenv("SHOW_TIMES"))
		dprintf(2, "%ld ms\n", ms);
}

int main(void)
{
	static long (*const ways[])(void) = { by_nanosleep, by_nanosleep_with_rest,
					      by_clock_nanosleep, by_poll, by_futex };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		thread_run(run, (void *)&ways[i]);
	checkpoint();
	return test_end();
}
