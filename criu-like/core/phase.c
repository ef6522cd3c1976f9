/* Running a table of phases, with undo from the failing row backwards. */
#include "core/phase.h"

#include "base/log.h"
#include "base/time.h"

int phases_run(const struct phase *phase, size_t n, void *context)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t from = time_now_ns();
		int r = phase[i].run(context);

		log_debug("phase %s: %lu us", phase[i].name, (time_now_ns() - from) / 1000);
		if (!r)
			continue;
		for (size_t k = i + 1; k-- > 0;)
			if (phase[k].undo)
				phase[k].undo(context);
		return r;
	}
	return 0;
}
