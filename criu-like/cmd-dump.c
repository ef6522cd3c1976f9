/* torpor dump: options into struct dump_options, then the conductor. */
#include <getopt.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd.h"
#include "dump.h"
#include "images/image.h"

int cmd_dump(int argc, char **argv)
{
	static const struct option longs[] = { { "no-sync", 0, 0, 1 }, { 0, 0, 0, 0 } };
	struct dump_options o = { .images_fd = -1, .work_fd = -1, .timeout_s = 10, .ghost_limit_bytes = 1 << 20 };
	const char *dir = ".";
	_close_ int fd = -1;
	int c;

	log_setup(&(struct log_config){ .fd = -1, .level = getenv("TORPOR_DEBUG") ? LOG_DEBUG : LOG_WARN });
	while ((c = getopt_long(argc, argv, "t:D:RsSjl", longs, NULL)) != -1) {
		if (c == 't')
			o.pid = atoi(optarg);
		else if (c == 'D')
			dir = optarg;
		else if (c == 'R')
			o.leave_running = true;
		else if (c == 's')
			o.leave_stopped = true;
		else if (c == 'S')
			o.show_stats = true;
		else if (c == 'j')
			o.shell_job = true;
		else if (c == 'l')
			o.file_locks = true;
		else if (c == 1)
			o.no_sync = true;
		else
			return 2;
	}
	if (!o.pid)
		return 2;
	if (image_dir_open(dir, true, &fd))
		return 1;
	o.images_fd = o.work_fd = fd;
	return dump_run(&o) ? 1 : 0;
}
