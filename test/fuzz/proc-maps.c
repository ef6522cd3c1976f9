/* The parser of /proc/PID/maps and smaps. Seeds: test/unit/fixtures. */
#include "kernel/proc-maps.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct span rest = text;
	struct vma_text v;
	struct smaps_vma s;

	while (maps_next(&rest, &v) == 1)
		(void)maps_path(a, v.path);
	while (smaps_next(&text, &s) == 1)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
