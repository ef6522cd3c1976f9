/* The parser of lists of pids. Seeds: test/unit/fixtures. */
#include "kernel/proc-list.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct proc_list l;

	(void)proc_list_parse(a, text, &l); /* any answer, but no bad access */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
