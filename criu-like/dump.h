#pragma once
#include "core/dump.h"

/* Saves a tree. Yields 0, or -errno after the failure was reported and the tree goes on. */
int dump_run(const struct dump_options *opt);
