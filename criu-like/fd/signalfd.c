/*
 * Descriptors that yield signals. fdinfo tells the mask, and there is nothing else: a read takes
 * the pending signals of whoever reads.
 */
#include "signalfd.pb-c.h"

#include <sys/signalfd.h>

#include "base/err.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "[signalfd]");
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Signalfd *m = msg;
	int r = fdinfo_signalfd(&p->info, &m->mask);

	(void)d;
	return r ? fail(r, "descriptor %d: the kernel does not tell the mask", p->number) : 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Signalfd *m = obj->msg;
	int flags = SFD_CLOEXEC | (obj->ofd->flags & O_NONBLOCK ? SFD_NONBLOCK : 0);
	int fd = (int)sys(SYS_signalfd4, -1, &m->mask, sizeof(m->mask), flags);

	(void)o;
	return fd < 0 ? fail(fd, "make a descriptor for signals") : fd;
}

const struct fd_kind kind_signalfd = { .name = "signalfd",
				       .alone = true,
				       .descriptor = &signalfd__descriptor,
				       .match = match,
				       .dump = dump,
				       .open = open_fd };
