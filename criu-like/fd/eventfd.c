/*
 * Event counters. fdinfo tells the 64-bit counter and, since 6.5, whether reads take one or all
 * (EFD_SEMAPHORE). eventfd2(2) takes only 32 bits, so the counter is written. Before 6.5 the mode
 * cannot be seen without reading: the usual one is assumed, and a warning says so. Who else in the
 * kernel signals it (KVM, vhost, asynchronous I/O) is not visible.
 */
#include "eventfd.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/eventfd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "[eventfd]");
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Eventfd *m = msg;
	int r = fdinfo_u64(&p->info, "eventfd-count", 16, &m->count);

	if (r)
		return fail(r, "descriptor %d: the kernel does not tell the counter", p->number);
	if (m->count == UINT64_MAX)
		return fd_refuse(d, p, "its counter has overflowed", "read it before the dump");
	r = fdinfo_flag(&p->info, "eventfd-semaphore", &m->semaphore);
	if (r == -ENOENT)
		log_warn("descriptor %d: before Linux 6.5 nothing tells a semaphore from a counter",
			 p->number);
	return r == -ENOENT ? 0 : r;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Eventfd *m = obj->msg;
	int flags = EFD_CLOEXEC | (m->semaphore ? EFD_SEMAPHORE : 0);
	_close_ int fd = -1;
	int r = 0;

	(void)o;
	if (obj->ofd->flags & O_NONBLOCK)
		flags |= EFD_NONBLOCK;
	fd = (int)sys(SYS_eventfd2, 0, flags);
	if (fd < 0)
		return fail(fd, "make an event counter");
	if (m->count)
		r = io_write(fd, &m->count, sizeof(m->count));
	return r ? fail(r, "set the counter to %#" PRIx64, m->count) : take_fd(&fd);
}

const struct fd_kind kind_eventfd = { .name = "eventfd",
				      .alone = true,
				      .descriptor = &eventfd__descriptor,
				      .match = match,
				      .dump = dump,
				      .open = open_fd };
