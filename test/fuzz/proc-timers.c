/* The parser of /proc/PID/timers. Seeds: test/unit/fixtures. */
#include "kernel/proc-timers.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct proc_timer t;

	(void)a;
	while (proc_timers_next(&text, &t) == 1)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
