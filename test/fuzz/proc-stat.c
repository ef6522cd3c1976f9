/* The parser of /proc/PID/stat. Seeds: test/unit/fixtures. */
#include "kernel/proc-stat.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct proc_stat s;

	(void)a;
	(void)proc_stat_parse(text, &s); /* any answer, but no bad access */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
