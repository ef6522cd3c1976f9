/*
 * Files opened with O_PATH: a place in the file system, of any type (also a symbolic link, with
 * O_NOFOLLOW), without position, owner or content. Opening it again has no side effects.
 */
#include "opath.pb-c.h"

#include <linux/magic.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "kernel/descriptor.h"

static bool match(struct dump *d, struct fd_probe *p)
{
	return p->flags & O_PATH && fd_link(d, p)[0] == '/' && fd_fs_type(d, p) != PROC_SUPER_MAGIC;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Opath *m = msg;
	int r = fd_describe(d, p, &m->file);

	if (!r)
		m->file->has_may_grow = m->file->may_grow = true; /* a place, not its content */
	return r;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const FileRef *file = ((const Opath *)o->msg)->file;

	o->shared |= file->hidden; /* found before there are other processes */
	return inode_check(r, NULL, file, "place");
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Opath *m = obj->msg;
	int fd = inode_open(o->r, m->file, (int)obj->ofd->flags | O_PATH);

	return fd < 0 ? fail(fd, "open '%s' with O_PATH", m->file->path) : fd;
}

const struct fd_kind kind_opath = { .name = "opath",
				    .descriptor = &opath__descriptor,
				    .match = match,
				    .dump = dump,
				    .plan = plan,
				    .open = open_fd };
