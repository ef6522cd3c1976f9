/*
 * Character devices whose descriptors have no state: null, zero, full, random, urandom, and a few
 * control nodes. They are opened again by name; that the name leads to the same device is checked.
 */
#include "dev.pb-c.h"

#include "base/err.h"
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

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Dev *m = msg;

	return fd_describe(d, p, &m->file);
}

static int plan(struct restore *r, struct fd_obj *o)
{
	return inode_check(r, NULL, ((const Dev *)o->msg)->file, "device");
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Dev *m = obj->msg;
	int fd = inode_open(o->r, m->file, (int)(obj->ofd->flags & ~(uint64_t)O_ASYNC));

	return fd < 0 ? fail(fd, "open '%s'", m->file->path) : fd;
}

const struct fd_kind kind_dev = { .name = "dev",
				  .descriptor = &dev__descriptor,
				  .match = match,
				  .dump = dump,
				  .plan = plan,
				  .open = open_fd };
