/*
 * Regular files, directories and block devices, by name.
 *
 * The flags that open(2) remembers are given at the open again; bits that it does not keep
 * (O_CREAT, O_TRUNC...) are not in them. The position is set with lseek: of a directory it is a
 * cookie of the file system, good as long as the directory is the same. Files in /proc, namespaces
 * and memfds look like regular files and are other kinds.
 */
#include "regular.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "kernel/descriptor.h"

static bool match(struct dump *d, struct fd_probe *p)
{
	if (!S_ISREG(p->st.st_mode) && !S_ISDIR(p->st.st_mode) && !S_ISBLK(p->st.st_mode))
		return false;
	if (p->flags & O_PATH || fd_link(d, p)[0] != '/')
		return false;
	if (!p->st.st_nlink &&
	    (!strncmp(p->link, "/memfd:", 7) || !strncmp(p->link, "/SYSV", 5) ||
	     !strncmp(p->link, "/secretmem", 10) || !strncmp(p->link, "/dev/zero ", 10) ||
	     !strncmp(p->link, "/anon_hugepage", 14)))
		return false;
	return fd_fs_type(d, p) != PROC_SUPER_MAGIC;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Regular *m = msg;
	int r = fd_describe(d, p, &m->file);

	if (!r && p->flags & O_APPEND)
		m->file->has_may_grow = m->file->may_grow = true;
	return r;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Regular *m = o->msg;

	if (o->ofd->flags & O_TMPFILE_BIT)
		o->shared = true; /* the very description that the coordinator made */
	o->shared |= m->file->hidden; /* found before there are other processes */
	return inode_check(r, NULL, m->file, "open file");
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Regular *m = obj->msg;
	const uint64_t flags = obj->ofd->flags & ~(uint64_t)O_ASYNC;
	_close_ int fd = inode_open(o->r, m->file, (int)flags);
	long at;

	if (fd < 0)
		return fail(fd, "open '%s'", m->file->path);
	at = sys_lseek(fd, (long)obj->ofd->pos, SEEK_SET);
	if (at < 0 && obj->ofd->pos)
		return fail(at, "set the position of '%s' to %" PRIu64, m->file->path,
			    obj->ofd->pos);
	return take_fd(&fd);
}

const struct fd_kind kind_regular = { .name = "regular",
				      .alone = true,
				      .descriptor = &regular__descriptor,
				      .match = match,
				      .dump = dump,
				      .plan = plan,
				      .open = open_fd };
