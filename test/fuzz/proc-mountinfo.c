/* The parser of /proc/PID/mountinfo. Seeds: test/unit/fixtures. */
#include "kernel/proc-mountinfo.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct mountinfo m;

	while (mountinfo_next(&text, &m) == 1)
		(void)mountinfo_unescape(a, m.point);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
