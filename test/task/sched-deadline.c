/* SCHED_DEADLINE with its three times; the thread sleeps, so it costs nothing. */
#include "test.h"

#include <sched.h>
#include <sys/syscall.h>

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

int main(void)
{
	struct attr set = {
		sizeof(set), 6 /* SCHED_DEADLINE */, 0, 0, 0, 1000000, 50000000, 100000000, 0, 0
	};
	struct attr before, after;

	if (syscall(SYS_sched_setattr, 0, &set, 0) < 0)
		skip("SCHED_DEADLINE: %s", strerror(errno));
	must(syscall(SYS_sched_getattr, 0, &before, sizeof(before), 0));
	checkpoint();
	check(!syscall(SYS_sched_getattr, 0, &after, sizeof(after), 0));
	check(!memcmp(&before, &after, sizeof(before)), "policy %u runtime %lu", after.policy,
	      after.runtime);
	return test_end();
}
