/*
 * Running a table of phases, with undo from the failing row backwards. Signals that ask for the end
 * are blocked during a run and found pending here, between steps, so that no step is cut in two and
 * a second one changes nothing.
 */
#include "core/phase.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "kernel/signal.h"

int phase_interrupted(uint64_t deadline_ns)
{
	int sig = signal_interrupted();

	if (sig) {
		log_error("interrupted by SIG%s; everything is undone", sigabbrev_np(sig));
		return -EINTR;
	}
	if (deadline_ns && time_now_ns() > deadline_ns) {
		log_error("the time given by --timeout is over; everything is undone");
		return -ETIMEDOUT;
	}
	return 0;
}

static int run(const struct phase *p, void *context)
{
	uint64_t from = time_now_ns();
	int r = p->run(context);

	log_debug("phase %s: %lu us", p->name, (time_now_ns() - from) / 1000);
	return r;
}

int phases_run(const struct phase *phase, size_t n, uint64_t deadline_ns, void *context)
{
	unsigned int errors = log_errors();
	bool final = false;
	size_t begun = 0;
	int r = 0;

	while (!r && begun < n) {
		final = final || phase[begun].final;
		r = final ? 0 : phase_interrupted(deadline_ns);
		if (!r)
			r = run(&phase[begun++], context);
	}
	for (size_t k = begun; r && k-- > 0;)
		if (phase[k].undo)
			phase[k].undo(context);
	if (r < 0 && errors == log_errors()) /* never without a word, whoever forgot his */
		return fail(r, "phase '%s'", phase[begun ? begun - 1 : 0].name);
	return r;
}
