/*
 * The three interval timers: armed ones come back with their interval and no more than the time
 * that was left, a timer that fired once keeps nothing, and an unarmed one stays unarmed.
 */
#include "test.h"

#include <signal.h>
#include <sys/time.h>

static bool is_later(const struct timeval *a, const struct timeval *b)
{
	return timercmp(a, b, >);
}

int main(void)
{
	static const struct itimerval set[3] = {
		{.it_interval = {17, 123456}, .it_value = {5000, 999999}},
		{.it_interval = {0, 0}, .it_value = {0, 0}},
		{.it_interval = {0, 0}, .it_value = {70000, 5}},
	};
	struct itimerval before[3], after;

	for (int i = 0; i < 3; i++) {
		must(setitimer(i, &set[i], NULL));
		must(getitimer(i, &before[i]));
	}
	checkpoint();
	for (int i = 0; i < 3; i++) {
		must(getitimer(i, &after));
		check(!memcmp(&after.it_interval, &before[i].it_interval,
			      sizeof(after.it_interval)),
		      "timer %d", i);
		check(timerisset(&after.it_value) == timerisset(&before[i].it_value), "timer %d",
		      i);
		check(!is_later(&after.it_value, &before[i].it_value), "timer %d has %ld s", i,
		      after.it_value.tv_sec);
		check(after.it_value.tv_sec >= before[i].it_value.tv_sec - 600, "timer %d", i);
	}
	return test_end();
}
