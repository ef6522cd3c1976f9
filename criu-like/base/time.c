/* The clock that durations and deadlines of the tool are measured with. */
#include "time.h"

#include <time.h>

uint64_t time_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
