/*
 * Descriptors of POSIX message queues: files of the ipc namespace's own mqueue file system, known
 * by its type. The queue itself, with its messages, is put back by ns/mqueue_object.c before any
 * descriptor is opened. A queue that was removed keeps its name until all its descriptors are open.
 * A notification (mq_notify) holds a value that nobody can read: it is refused.
 */
#include "mqueue.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file/file.h"
#include "core/queue.h"
#include "kernel/descriptor.h"

enum { MQUEUE_MAGIC = 0x19800202 };

static bool match(struct dump *d, struct fd_probe *p)
{
	return S_ISREG(p->st.st_mode) && p->st.st_size == 80 && !(p->flags & O_PATH) &&
	       fd_fs_type(d, p) == MQUEUE_MAGIC;
}

/* "QSIZE:6 NOTIFY:0 SIGNO:10 NOTIFY_PID:4711" is what a read yields, and takes no message. */
static int look(struct dump *d, struct fd_probe *p)
{
	char text[128] = "";
	_close_ int fd = sys_reopen(p->fd, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	long n = fd < 0 ? fd : sys_read(fd, text, sizeof(text) - 1);
	const char *pid = n < 0 ? NULL : strstr(text, "NOTIFY_PID:");

	if (n < 0 || !pid)
		return fail(n < 0 ? n : -EPROTO, "read the state of %s", fd_text(d, p));
	return pid[11] == '0' ? 0
			      : fd_refuse(d, p, "the value of its notification cannot be read",
					  "take it back before the dump (mq_notify)");
}

static int add_queue(struct dump *d, struct fd_probe *p, const Mqueue *m)
{
	struct queue_seen *q = arena_new(&d->arena, struct queue_seen);

	*q = (struct queue_seen){ p->task, sys_reopen(p->fd, O_RDWR | O_NONBLOCK | O_CLOEXEC),
				  m->name, m->removed };
	if (q->fd < 0)
		return fail(q->fd, "open %s", fd_text(d, p));
	*vec_push(&d->arena, &d->queue) = q;
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	static const char deleted[] = " (deleted)";
	const char *link = fd_link(d, p);
	Mqueue *m = msg;
	size_t len = strlen(link);
	bool first;
	int r = look(d, p);

	if (r)
		return r;
	m->removed = !p->st.st_nlink;
	if (m->removed && len > sizeof(deleted))
		len -= sizeof(deleted) - 1;
	m->name = arena_strndup(&d->arena, link + 1, len - 1);
	(void)files_group(d, p, &first);
	return first ? add_queue(d, p, m) : 0;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Mqueue *m = o->msg;

	(void)r;
	o->shared = true; /* opened while a removed queue has its name */
	return *m->name && !strchr(m->name, '/')
		       ? 0
		       : fail(-EPROTO, "message queue '%s' has a wrong name", m->name);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Mqueue *m = obj->msg;
	int flags = (int)obj->ofd->flags & (O_ACCMODE | O_NONBLOCK);
	int fd = (int)sys(SYS_mq_open, m->name, flags | O_CLOEXEC, 0, 0);

	(void)o;
	return fd < 0 ? fail(fd, "open message queue '%s'", m->name) : fd;
}

static int fill(struct opener *o, const struct fd_obj *obj, int fd)
{
	const Mqueue *m = obj->msg;
	long r = m->removed ? sys(SYS_mq_unlink, m->name) : 0;

	(void)o;
	(void)fd;
	/* -ENOENT: another descriptor of the queue did it. */
	return r && r != -ENOENT ? fail(r, "remove message queue '%s'", m->name) : 0;
}

const struct fd_kind kind_mqueue = { .name = "mqueue",
				     .descriptor = &mqueue__descriptor,
				     .match = match,
				     .look = look,
				     .dump = dump,
				     .plan = plan,
				     .open = open_fd,
				     .fill = fill };
