/* torpor restore: options into struct restore_options, then the conductor. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd.h"
#include "images/image.h"
#include "restore.h"

int cmd_restore(int argc, char **argv)
{
	static const struct option longs[] = { { "plan", 0, 0, 1 }, { "pidfile", 1, 0, 2 }, { 0, 0, 0, 0 } };
	struct restore_options o = { .images_fd = -1, .work_fd = -1 };
	const char *dir = ".";
	_close_ int fd = -1;
	pid_t pid;
	int c, status;

	log_setup(&(struct log_config){ .fd = -1, .level = getenv("TORPOR_DEBUG") ? LOG_DEBUG : LOG_WARN });
	while ((c = getopt_long(argc, argv, "D:djsS", longs, NULL)) != -1) {
		if (c == 'D')
			dir = optarg;
		else if (c == 'd')
			o.detach = true;
		else if (c == 'j')
			o.shell_job = true;
		else if (c == 's')
			o.leave_stopped = true;
		else if (c == 'S')
			o.sibling = true;
		else if (c == 1)
			o.plan_only = true;
		else if (c == 2)
			o.pidfile = optarg;
		else
			return 2;
	}
	if (image_dir_open(dir, false, &fd))
		return 1;
	o.images_fd = o.work_fd = fd;
	if (restore_run(&o, &pid))
		return 1;
	if (o.plan_only || o.detach)
		return 0;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
