/*
 * All sixteen limits, soft and hard, in a task that is above one of them: more descriptors open
 * than it may open now.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/resource.h>

static void lower(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit now;

	must(getrlimit(which, &now));
	now.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
	now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
	must(setrlimit(which, &now));
}

int main(void)
{
	struct rlimit before[RLIM_NLIMITS], after;
	int high = must(fcntl(must(open("/dev/null", O_RDONLY)), F_DUPFD, 900));

	lower(RLIMIT_CPU, 100000, 200000);
	lower(RLIMIT_FSIZE, 1 << 30, 1ul << 40);
	lower(RLIMIT_STACK, 4 << 20, 64 << 20);
	lower(RLIMIT_CORE, 0, 4096);
	lower(RLIMIT_NOFILE, 20, 1000);
	lower(RLIMIT_MEMLOCK, 12345, 65536);
	lower(RLIMIT_NPROC, 7777, 8888);
	lower(RLIMIT_SIGPENDING, 50, 60);
	lower(RLIMIT_MSGQUEUE, 1000, 2000);
	lower(RLIMIT_RTTIME, 5000000, 6000000);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		must(getrlimit(i, &before[i]));
	checkpoint();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		check(!getrlimit(i, &after));
		check(after.rlim_cur == before[i].rlim_cur && after.rlim_max == before[i].rlim_max,
		      "limit %d: %lu %lu", i, after.rlim_cur, after.rlim_max);
	}
	check(fcntl(high, F_GETFD) == 0);
	check(fcntl(high, F_DUPFD, 21) < 0 && errno == EINVAL);
	return test_end();
}
