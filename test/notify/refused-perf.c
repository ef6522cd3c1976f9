/* A performance counter is refused by name. */
/* harness: refused=perf_event */
#include "test.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>

int main(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
				       .config = PERF_COUNT_SW_TASK_CLOCK};

	if (syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) < 0)
		skip("no counters: %s", strerror(errno));
	checkpoint();
	return test_end();
}
