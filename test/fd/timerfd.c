/*
 * harness: timeouts
 * Timers: a periodic one whose ticks wait, a one-shot that is armed, one that has expired, one set
 * to a time of day, one that was never armed.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>

static int timer(int clock, int flags, time_t value_s, long value_ns, long interval_ns)
{
	const struct itimerspec t = { { interval_ns / 1000000000, interval_ns % 1000000000 },
				      { value_s, value_ns } };
	int fd = must(timerfd_create(clock, TFD_NONBLOCK));

	must(timerfd_settime(fd, flags, &t, NULL));
	return fd;
}

static bool ready(int fd, int timeout_ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, timeout_ms) == 1;
}

int main(void)
{
	const time_t day = time(NULL) + 86400;
	struct itimerspec left;
	uint64_t ticks = 0;
	int periodic = timer(CLOCK_MONOTONIC, 0, 0, 1, 3600000000000);
	int armed = timer(CLOCK_MONOTONIC, 0, 5000, 0, 0);
	int over = timer(CLOCK_BOOTTIME, 0, 0, 1, 0);
	int absolute = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME, day, 500000000, 0);
	int never = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));

	must_true(ready(periodic, -1) && ready(over, -1));
	checkpoint();
	check(read(periodic, &ticks, 8) == 8 && ticks == 1);
	check(!timerfd_gettime(periodic, &left) && left.it_value.tv_sec > 3000 &&
		      left.it_interval.tv_sec == 3600,
	      "it goes on");
	check(read(over, &ticks, 8) == 8 && ticks == 1 && !ready(over, 0));
	check(!timerfd_gettime(armed, &left) && left.it_value.tv_sec > 1000 &&
	      left.it_value.tv_sec < 5000);
	check(!timerfd_gettime(absolute, &left));
	check(time(NULL) + left.it_value.tv_sec >= day - 1 &&
	      time(NULL) + left.it_value.tv_sec <= day);
	check(!timerfd_gettime(never, &left) && !left.it_value.tv_sec && !left.it_value.tv_nsec);
	check(fcntl(never, F_GETFD) == FD_CLOEXEC && !(fcntl(never, F_GETFL) & O_NONBLOCK));
	return test_end();
}
