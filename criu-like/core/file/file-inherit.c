/*
 * Descriptors that the caller of a restore hands over in the place of dumped ones (--inherit-fd).
 *
 * The key is the text by which the dumped file is known: "pipe:[123]", "socket:[123]",
 * "tty[..:..]", or a path without its leading slash. The caller's own description is what the tasks
 * get (its position and flags), except for pipes, which are opened anew with the saved flags, so
 * that only the pipe is shared with the caller. One key may stand for several descriptions.
 */
#include "core/file/file-inherit.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

static bool matches(const Ofd *o, const char *key)
{
	if (o->key && !strcmp(o->key, key))
		return true;
	return o->name &&
	       (!strcmp(o->name, key) || (o->name[0] == '/' && !strcmp(o->name + 1, key)));
}

int inherit_plan(struct restore *r)
{
	struct stat st;

	for (const struct inherit_fd *i = r->opt ? r->opt->inherit : NULL; i && i->key; i++) {
		bool used = false;

		if (sys_stat(i->fd, "", 0, &st, NULL))
			(void)refuse(&r->blockers, 0,
				     arena_printf(&r->arena, "--inherit-fd fd[%d]", i->fd),
				     "the tool was started without this descriptor",
				     NULL); /* collected */
		vec_foreach(p, &r->files->all)
			if (matches((*p)->o.ofd, i->key)) {
				(*p)->inherited = i->fd;
				used = true;
			}
		if (!used)
			log_info("--inherit-fd %s: nothing in the checkpoint has this name",
				 i->key);
	}
	return 0;
}

int inherit_open(struct opener *op, const struct planned *p)
{
	const int keep = O_ACCMODE | O_NONBLOCK | O_DIRECT | O_PATH;
	struct stat st;
	int fd, e = sys_stat(p->inherited, "", 0, &st, NULL);

	(void)op;
	if (e)
		return fail(e, "look at descriptor %d of the caller", p->inherited);
	if (S_ISFIFO(st.st_mode))
		fd = sys_reopen(p->inherited, (int)p->o.ofd->flags & keep);
	else
		fd = sys_fcntl(p->inherited, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? fail(fd, "take over descriptor %d of the caller", p->inherited) : fd;
}
