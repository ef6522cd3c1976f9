/*
 * Character devices whose descriptors have no state of their own but a position: null, zero, full,
 * random, urandom, mem, port, kmsg, and a few control nodes. They are opened again by name; that
 * the name leads to the same device is checked. (Block devices are files like others: regular.c.)
 *
 * Where a reader of the kernel log stands is not told, only whether something is left: who had read
 * everything goes on at the end, others begin anew.
 */
#include "dev.pb-c.h"

#include <inttypes.h>
#include <poll.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "kernel/descriptor.h"

static const struct stateless {
	unsigned int major, minor;
} stateless[] = {
	{ 1, 3 },    { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, /* null zero full random urandom */
	{ 10, 237 },					     /* loop-control */
	{ 10, 232 },					     /* kvm, without a machine */
	{ 10, 183 },					     /* hwrng */
	{ 10, 234 },					     /* btrfs-control */
	{ 10, 235 },					     /* autofs */
	{ 1, 1 },    { 1, 4 }, { 1, 11 },		     /* mem port kmsg */
};

static bool match(struct dump *d, struct fd_probe *p)
{
	(void)d;
	if (!S_ISCHR(p->st.st_mode) || p->flags & O_PATH)
		return false;
	for (size_t i = 0; i < array_size(stateless); i++)
		if (p->st.st_rdev == makedev(stateless[i].major, stateless[i].minor))
			return true;
	return false;
}

static bool is_kernel_log(const struct fd_probe *p)
{
	return p->st.st_rdev == makedev(1, 11) && (p->flags & O_ACCMODE) != O_WRONLY;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct pollfd log = { p->fd, POLLIN, 0 };
	Dev *m = msg;
	long r = is_kernel_log(p) ? sys(SYS_poll, &log, 1, 0) : 1;

	if (r < 0)
		return fail(r, "descriptor %d: look at the kernel log", p->number);
	m->has_at_end = m->at_end = !r;
	return fd_describe(d, p, &m->file);
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const FileRef *file = ((const Dev *)o->msg)->file;

	o->shared |= file->hidden; /* found before there are other processes */
	return inode_check(r, NULL, file, "device");
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Dev *m = obj->msg;
	_close_ int fd = inode_open(o->r, m->file, (int)(obj->ofd->flags & ~(uint64_t)O_ASYNC));
	long at = 0;

	if (fd < 0)
		return fail(fd, "open '%s'", m->file->path);
	if (m->at_end)
		at = sys_lseek(fd, 0, SEEK_END);
	else if (obj->ofd->pos)
		at = sys_lseek(fd, (long)obj->ofd->pos, SEEK_SET);
	return at < 0 ? fail(at, "set the position of '%s' to %" PRIu64, m->file->path,
			     obj->ofd->pos)
		      : take_fd(&fd);
}

const struct fd_kind kind_dev = { .name = "dev",
				  .alone = true,
				  .descriptor = &dev__descriptor,
				  .match = match,
				  .dump = dump,
				  .plan = plan,
				  .open = open_fd };
