#pragma once
#include <sys/types.h>

/*
 * Action scripts at the hook points of a run: pre-dump, frozen, post-dump, pre-restore,
 * post-restore, pre-resume, post-resume. Each script (NULL-terminated list, NULL: none) is run with
 * the point as its only argument and in CRTOOLS_SCRIPT_ACTION, the pid of the root (0: not known)
 * in CRTOOLS_INIT_PID, the image directory in CRTOOLS_IMAGE_DIR. 0, -errno, or the positive status
 * of a script that failed (128 + the signal that killed it); reported.
 */
struct hooks {
	const char *const *script;
	int images_fd;
};
int hook_run(const struct hooks *h, const char *point, pid_t root);
