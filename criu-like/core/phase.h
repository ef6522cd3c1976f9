#pragma once
#include <stddef.h>

/*
 * A conductor is a table of phases. Rows run in order; when one fails, the undo functions of those
 * that had begun run backwards, from the failing row. `holds` says what is true once the row is
 * done.
 */
struct phase {
	const char *name;
	int (*run)(void *context);
	void (*undo)(void *context);
	const char *holds;
};

int phases_run(const struct phase *phase, size_t n, void *context);
