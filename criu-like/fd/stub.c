/*
 * What stands in the place of files that cannot be saved and that the operator gave up
 * (--fd-policy KIND=close or null, core/file/file-policy.c): nothing at all, or /dev/null opened in
 * the same way. The core makes these records when a kind refuses; nothing matches by itself.
 */
#include "stub.pb-c.h"

#include <fcntl.h>

#include "base/err.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"

static bool match(struct dump *d, struct fd_probe *p)
{
	(void)d;
	return p->policy != FD_POLICY_FAIL;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Stub *m = msg;

	m->name = (char *)fd_link(d, p);
	m->closed = p->policy == FD_POLICY_CLOSE;
	return 0;
}

static bool is_absent(const void *msg)
{
	return ((const Stub *)msg)->closed;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	int fd = sys_openat(AT_FDCWD, "/dev/null",
			    ((int)obj->ofd->flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC, 0);

	(void)o;
	return fd < 0 ? fail(fd, "open '/dev/null' in the place of '%s'",
			     ((const Stub *)obj->msg)->name)
		      : fd;
}

const struct fd_kind kind_stub = { .name = "stub",
				   .descriptor = &stub__descriptor,
				   .match = match,
				   .dump = dump,
				   .is_absent = is_absent,
				   .open = open_fd };
