/* The parser of /proc/PID/task/TID/sched. Seeds: test/unit/fixtures. */
#include "kernel/proc-sched.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct proc_sched s;

	(void)a;
	(void)proc_sched_parse(text, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
