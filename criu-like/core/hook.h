#pragma once
#include <sys/types.h>

/*
 * Action scripts at the hook points of a run: pre-dump, frozen, post-dump, pre-restore, pre-resume,
 * post-resume... Each script (NULL-terminated list, NULL: none) is run with the point as its only
 * argument and in CRTOOLS_SCRIPT_ACTION, the pid of the root in CRTOOLS_INIT_PID. 0, or -ECANCELED
 * when a script failed (reported).
 */
int hook_run(const char *const *script, const char *point, pid_t root);
