/* The parser of /proc/PID/status. Seeds: test/unit/fixtures. */
#include "kernel/proc-status.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct proc_status s;

	(void)proc_status_parse(a, text, &s); /* any answer, but no bad access */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
