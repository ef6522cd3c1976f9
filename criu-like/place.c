/*
 * Directories and log of a run. Relative names of logs and pid files are looked up in the work
 * directory, which is the image directory unless -W says otherwise. A log file is made anew by
 * every run; errors are repeated on stderr.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "images/image.h"
#include "kernel/sys.h"

static int copy_fd(const char *option, int fd, int *ret)
{
	long r = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);

	if (r < 0)
		return fail(r, "take descriptor %d of --%s", fd, option);
	*ret = (int)r;
	return 0;
}

static enum log_level level_of(unsigned int verbosity)
{
	if (verbosity <= 1)
		return LOG_ERROR;
	return verbosity == 2 ? LOG_WARN : verbosity == 3 ? LOG_INFO : LOG_DEBUG;
}

static struct log_config log_of(const struct settings *s, unsigned int flags)
{
	return (struct log_config){
		.fd = -1,
		.level = level_of(s->verbosity),
		.format = (enum log_format)s->log_format,
		.errors_on_stderr = true,
		.error_mark = flags & PLACE_CRIU ? "Error (torpor): " : "error: ",
	};
}

static int open_log(const struct settings *s, const char *name, int work_fd, int *ret)
{
	const int how = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY;
	long r;

	if (s->log_fd >= 0)
		return copy_fd("log-fd", s->log_fd, ret);
	if (!name)
		return 0;
	if (!strcmp(name, "-"))
		return copy_fd("log-file", STDOUT_FILENO, ret);
	r = sys(SYS_openat, work_fd, name, how, 0600);
	if (r < 0)
		return fail(r, "make the log '%s'", name);
	*ret = (int)r;
	return 0;
}

static int open_dirs(const struct settings *s, unsigned int flags, struct place *p)
{
	const char *dir = s->images_dir ? s->images_dir : ".";
	int r;

	if (s->images_fd >= 0)
		r = copy_fd("images-fd", s->images_fd, &p->images_fd);
	else if (flags & PLACE_LOG_ONLY)
		r = 0;
	else
		r = image_dir_open(dir, flags & PLACE_CREATE, &p->images_fd);
	if (r)
		return r;
	if (s->work_dir) {
		r = io_open_dir(s->work_dir, &p->work_fd);
		return r ? fail(r, "open the work directory '%s'", s->work_dir) : 0;
	}
	return p->images_fd >= 0 ? copy_fd("images-dir", p->images_fd, &p->work_fd) : 0;
}

int place_open(const struct settings *s, unsigned int flags, const char *log_name,
	       struct place *ret)
{
	struct log_config log = log_of(s, flags);
	_place_close_ struct place p = { -1, -1, -1 };
	const char *name = s->log_file ? s->log_file : flags & PLACE_CRIU ? log_name : NULL;
	int r;

	log_setup(&log);
	r = open_dirs(s, flags, &p);
	r = r ?: open_log(s, name, p.work_fd >= 0 ? p.work_fd : AT_FDCWD, &p.log_fd);
	if (r)
		return r;
	log.fd = p.log_fd;
	log_setup(&log);
	*ret = p;
	p = (struct place){ -1, -1, -1 };
	return 0;
}

/* What is said later goes to stderr again. */
void place_close(struct place *p)
{
	fd_close(&p->images_fd);
	fd_close(&p->work_fd);
	fd_close(&p->log_fd);
}
