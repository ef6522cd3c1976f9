/*
 * Descriptors of memfds, and of shared anonymous memory that was opened through map_files. Several
 * descriptions may be of one object, in different modes; the object and its content belong to the
 * memory (core/memory/shared-object.c), and whoever maps it refers to the same one. The coordinator
 * opens all of them, since it makes the objects.
 */
#include "memfd.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "core/memory/shared-object.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

static const char memfd_prefix[] = "/memfd:", secret_prefix[] = "/secretmem";

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static bool match(struct dump *d, struct fd_probe *p)
{
	if (!S_ISREG(p->st.st_mode) || p->st.st_nlink || *fd_link(d, p) != '/')
		return false;
	if (starts(p->link, secret_prefix))
		return true;
	if (!starts(p->link, memfd_prefix) && !starts(p->link, "/dev/zero ") &&
	    !starts(p->link, "/anon_hugepage"))
		return false;
	return shared_device(d, p->st.st_dev, fd_fs_type(d, p));
}

static int look(struct dump *d, struct fd_probe *p)
{
	return starts(fd_link(d, p), secret_prefix)
		       ? fd_refuse(d, p, "nobody but the program itself can read secret memory",
				   "close it before the dump")
		       : 0;
}

/* How it is called by those who hand over another: "/memfd:NAME". */
static const char *key(struct dump *d, const char *link)
{
	size_t len = strlen(link) - strlen(" (deleted)");

	return starts(link, memfd_prefix) ? arena_strndup(&d->arena, link, len) : NULL;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	const char *path = arena_printf(&d->arena, "fd/%d", p->number);
	_close_ int fd = -1;
	Memfd *m = msg;
	int r = look(d, p);

	if (r)
		return r;
	fd = sys_openat(p->task->proc_fd, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fail(fd, "open %s of task %d", fd_text(d, p), p->task->pid);
	p->key = key(d, p->link);
	return shared_object(d, &(struct shared_probe){ fd, p->task->proc_fd, path }, false,
			     &m->object);
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Memfd *m = o->msg;

	o->shared = true;
	return shared_object_check(r, m->object);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Memfd *m = obj->msg;
	_close_ int fd = shared_object_open(o->r, m->object, obj->ofd->flags);
	long at;

	if (fd < 0)
		return fd;
	at = obj->ofd->pos ? sys_lseek(fd, (long)obj->ofd->pos, SEEK_SET) : 0;
	if (at < 0)
		return fail(at, "set the position of a memfd to %" PRIu64, obj->ofd->pos);
	return take_fd(&fd);
}

const struct fd_kind kind_memfd = { .name = "memfd",
				    .descriptor = &memfd__descriptor,
				    .match = match,
				    .look = look,
				    .dump = dump,
				    .plan = plan,
				    .open = open_fd };
