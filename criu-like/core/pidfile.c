/*
 * The pid file of a run: one number without a newline, as scripts written for criu read it. It
 * exists before the tree runs, so that who finds the tree finds its pid, and a pid file that cannot
 * be written fails the run while nothing has happened yet.
 */
#include "core/pidfile.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"

int pidfile_write(int work_fd, const char *name, pid_t pid)
{
	_close_ int fd = -1;
	char text[16];
	int r, n;

	if (!name)
		return 0;
	(void)io_unlink_at(work_fd, name); /* mostly there is none */
	r = io_open_at(work_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644, &fd);
	if (r)
		return fail(r, "make the pid file '%s'", name);
	n = snprintf(text, sizeof(text), "%d", pid);
	r = io_write(fd, text, (size_t)n);
	if (!r)
		return 0;
	pidfile_remove(work_fd, name);
	return fail(r, "write the pid file '%s'", name);
}

void pidfile_remove(int work_fd, const char *name)
{
	if (name)
		(void)io_unlink_at(work_fd, name); /* it may not have come to exist */
}
