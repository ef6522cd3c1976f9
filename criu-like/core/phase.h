#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A conductor is a table of phases. Rows run in order; when one fails, the undo functions of those
 * that had begun run backwards, from the failing row. `holds` says what is true once the row is
 * done. Before each row up to the first `final` one the run ends (-EINTR, -ETIMEDOUT, reported)
 * when a signal asks for it or the time is over.
 */
struct phase {
	const char *name;
	int (*run)(void *context);
	void (*undo)(void *context);
	const char *holds;
	bool final;
};

/* deadline_ns: of CLOCK_MONOTONIC, 0: none. */
int phases_run(const struct phase *phase, size_t n, uint64_t deadline_ns, void *context);
/* For waits inside a phase: 0, or why the run is to end (reported). */
int phase_interrupted(uint64_t deadline_ns);
