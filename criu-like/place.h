#pragma once
#include "base/arena.h"
#include "settings.h"

/* Where a run reads and writes: directories, log. Opened from the settings, closed by
 * place_close(). */
struct place {
	int images_fd, work_fd, log_fd; /* -1: none */
};

enum place_flags {
	PLACE_CREATE = 1,    /* the image directory is made if it is missing */
	PLACE_CRIU = 2,      /* a log file always, errors marked as under the name criu */
	PLACE_LOG_ONLY = 4,  /* no directory of images */
};

/*
 * `log_name`: name of the log file where the settings name none and PLACE_CRIU asks for one. Also
 * sets the log up. 0 or -errno (reported).
 */
int place_open(const struct settings *s, unsigned int flags, const char *log_name,
	       struct place *ret);
void place_close(struct place *p);
#define _place_close_ __attribute__((cleanup(place_close)))
