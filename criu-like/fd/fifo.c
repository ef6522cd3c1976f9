/*
 * Named pipes. All descriptions of one inode are one pipe, whose content and size last as long as
 * anybody has it open. Opening waits for a partner, so every open is made with O_NONBLOCK behind a
 * helper that holds both sides, and the real flags are set afterwards.
 *
 * A reader that is opened without blocking while there is no writer is not told that a writer has
 * gone; one that is opened while the helper writes is, once the helper closes. So readers that had
 * seen a writer go are opened with the helper, the others after its writing side has closed, when
 * no writer remains. What cannot be seen: who was charged for the pipe's memory.
 */
#include "fifo.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "fd/pipe-content.h"
#include "kernel/descriptor.h"

static bool match(struct dump *d, struct fd_probe *p)
{
	return S_ISFIFO(p->st.st_mode) && !(p->flags & O_PATH) && fd_fs_type(d, p) != PIPEFS_MAGIC;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct pollfd look = { p->fd, 0, 0 };
	struct pipe_content c;
	Fifo *m = msg;
	bool first;
	int r = fd_describe(d, p, &m->file);

	if (r)
		return r;
	m->pipe = files_group(d, p, &first);
	m->has_hang_up = (p->flags & O_ACCMODE) == O_RDONLY;
	m->hang_up = m->has_hang_up && sys(SYS_poll, &look, 1, 0) == 1 && look.revents & POLLHUP;
	if (!first)
		return 0;
	r = pipe_content_dump(d, p, &c);
	if (r)
		return r;
	m->has_size = true;
	m->size = c.size;
	m->packet = c.packet;
	m->n_packet = c.n_packet;
	m->has_packets = m->packets = c.packets;
	return 0;
}

/* --- restore -------------------------------------------------------------------------------------
 */

static int plan(struct restore *r, struct fd_obj *o)
{
	const FileRef *file = ((const Fifo *)o->msg)->file;

	o->shared |= file->hidden; /* found before there are other processes */
	return inode_check(r, NULL, file, "named pipe");
}

static uint64_t group(const void *msg)
{
	return ((const Fifo *)msg)->pipe;
}

/* All are opened together: a ring of twins. */
static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	const Fifo *full = NULL;

	(void)r;
	for (size_t i = 0; i < n; i++) {
		const Fifo *m = member[i]->msg;

		member[i]->twin = n > 1 ? member[(i + 1) % n] : NULL;
		full = m->has_size ? m : full;
	}
	return full ? 0 : fail(-EPROTO, "image 'fifo': a pipe without a size");
}

static int open_one(struct opener *o, struct fd_obj *obj)
{
	const Fifo *m = obj->msg;
	int flags = (int)(obj->ofd->flags & ~(uint64_t)O_ASYNC);
	_close_ int fd = inode_open(o->r, m->file, flags | O_NONBLOCK);
	int r;

	if (fd < 0)
		return fail(fd, "open the named pipe '%s'", m->file->path);
	r = sys_fcntl(fd, F_SETFL, flags);
	if (r)
		return fail(r, "set the flags of the named pipe '%s'", m->file->path);
	obj->fd = take_fd(&fd);
	return 0;
}

static bool opens_late(const struct fd_obj *obj, bool writers)
{
	return !writers && (obj->ofd->flags & O_ACCMODE) == O_RDONLY &&
	       !((const Fifo *)obj->msg)->hang_up;
}

/* Opens those members that come now. */
static int open_members(struct opener *o, struct fd_obj *first, bool late, bool writers)
{
	struct fd_obj *m = first;
	int r = 0;

	do {
		if (opens_late(m, writers) == late)
			r = open_one(o, m);
		m = m->twin;
	} while (!r && m && m != first);
	return r;
}

static bool any_writer(const struct fd_obj *first)
{
	const struct fd_obj *m = first;

	do {
		if (m->ofd->flags & O_ACCMODE)
			return true;
		m = m->twin;
	} while (m && m != first);
	return false;
}

static const Fifo *full_record(const struct fd_obj *m)
{
	while (!((const Fifo *)m->msg)->has_size)
		m = m->twin;
	return m->msg;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	struct fd_obj *first = files_find(o->r, obj->id);
	const Fifo *full = full_record(obj);
	const struct pipe_content c = { full->size, full->n_packet, full->packet, full->packets };
	_close_ int both = inode_open(o->r, full->file, O_RDWR | O_NONBLOCK), reader = -1;
	bool writers = any_writer(first);
	int r;

	if (both < 0)
		return fail(both, "open the named pipe '%s'", full->file->path);
	r = pipe_content_restore(both, &c);
	if (!r)
		r = open_members(o, first, false, writers);
	if (r)
		return r;
	reader = inode_open(o->r, full->file, O_RDONLY | O_NONBLOCK); /* the content stays */
	if (reader < 0)
		return fail(reader, "open the named pipe '%s'", full->file->path);
	fd_close(&both);
	r = open_members(o, first, true, writers);
	return r ? r : first->fd;
}

const struct fd_kind kind_fifo = { .name = "fifo",
				   .descriptor = &fifo__descriptor,
				   .match = match,
				   .dump = dump,
				   .plan = plan,
				   .group = group,
				   .plan_group = plan_group,
				   .open = open_fd };
