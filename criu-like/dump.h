#pragma once
#include "core/dump.h"

/*
 * Saves a tree. Yields 0, -errno after the failure was reported and the tree goes on, or the
 * positive status of an action script that failed.
 */
int dump_run(const struct dump_options *opt);
/*
 * What stands against a dump, as far as it can be seen from outside: nothing is stopped or written.
 * 0: nothing; -ENOTSUP: the list, not reported; another -errno: reported.
 */
int dump_check(const struct dump_options *opt, struct arena *a, struct blockers *ret);
