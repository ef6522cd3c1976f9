/* The parser of /proc/PID/limits. Seeds: test/unit/fixtures. */
#include "kernel/proc-limits.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct proc_limits l;

	(void)a;
	(void)proc_limits_parse(text, &l); /* any answer, but no bad access */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
