#pragma once
#include "core/restore.h"

/* Brings a checkpoint back. Yields 0, or -errno after the failure was reported and all was undone.
 */
int restore_run(const struct restore_options *opt, pid_t *ret_pid);
