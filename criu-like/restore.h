#pragma once
#include "core/restore.h"

/*
 * Brings a checkpoint back. Yields 0, -errno after the failure was reported and all was undone, or
 * the positive status of an action script that failed.
 */
int restore_run(const struct restore_options *opt, pid_t *ret_pid);
/*
 * What stands against a restore here and now: reads and plans, makes nothing. 0: nothing; -ENOTSUP:
 * the list, not reported; another -errno: reported.
 */
int restore_check(const struct restore_options *opt, struct arena *a, struct blockers *ret);
/* The same for a set that is open already and stays so; it lives in `a`. NULL: opens the images. */
int restore_check_set(const struct restore_options *opt, struct image_set *set, struct arena *a,
		      struct blockers *ret);
