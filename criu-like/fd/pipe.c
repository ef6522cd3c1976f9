/*
 * Pipes. All descriptions with one pipefs inode are one pipe: usually one end for reading and one
 * for writing, but an end may be closed, and more ends come from opening /proc/self/fd/N (those
 * have O_LARGEFILE, which pipe(2) does not set).
 *
 * Content is copied with tee(2), which consumes nothing, into a pipe of the same number of slots
 * and read there. In packet mode each slot is a packet and a read yields one of them. On restore
 * the size comes first, then the content by write(2), because only written slots can be appended
 * to, packet by packet where they are packets; then the flags of each end. What cannot be seen: who
 * was charged for the pipe's memory, and whether a single queued packet of one byte is a packet.
 */
#include "pipe.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file.h"
#include "kernel/descriptor.h"

enum { PIPE_SIZE_DEFAULT = 65536 };

static bool match(struct dump *d, struct fd_probe *p)
{
	return S_ISFIFO(p->st.st_mode) && fd_fs_type(d, p) == PIPEFS_MAGIC;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

/* A private pipe with everything that is queued; *ret_fd: its reading end. */
static int copy_content(const struct fd_probe *p, int size, int *ret_fd)
{
	_close_ int reopened = -1, in = -1, out = -1;
	int pair[2], from = p->fd;
	long r = sys(SYS_pipe2, pair, O_CLOEXEC | O_NONBLOCK);

	if (r)
		return fail(r, "make a pipe");
	in = pair[1];
	out = pair[0];
	if ((p->flags & O_ACCMODE) == O_WRONLY) {
		from = reopened = sys_reopen(p->fd, O_RDONLY | O_NONBLOCK);
		if (from < 0)
			return fail(from, "open the pipe for reading");
	}
	r = sys_fcntl(in, F_SETPIPE_SZ, size);
	if (r < 0)
		return fail(r, "make a pipe of %d bytes", size);
	r = sys(SYS_tee, from, in, size, SPLICE_F_NONBLOCK);
	if (r < 0)
		return fail(r, "copy the content of the pipe");
	*ret_fd = take_fd(&out);
	return 0;
}

static void add_piece(struct dump *d, Pipe *m, const void *bytes, size_t len)
{
	m->packet = arena_grow(&d->arena, m->packet, m->n_packet * sizeof(*m->packet),
			       (m->n_packet + 1) * sizeof(*m->packet));
	m->packet[m->n_packet].data = arena_memdup(&d->arena, bytes, len);
	m->packet[m->n_packet++].len = len;
}

static int queued(int fd)
{
	int n = 0, r = sys_ioctl(fd, FIONREAD, &n);

	return r < 0 ? r : n;
}

/* Whether the first slot is a packet: reading one byte throws the rest of a packet away. */
static int begins_with_packet(const struct fd_probe *p, int size, int n)
{
	_close_ int fd = -1;
	char byte;
	int r = copy_content(p, size, &fd);
	long got = r ? r : sys_read(fd, &byte, 1);

	if (got < 0)
		return (int)got;
	r = queued(fd);
	return r < 0 ? r : r != n - 1;
}

static int read_content(struct dump *d, struct fd_probe *p, Pipe *m, int n)
{
	char *buf = arena_alloc(&d->arena, (size_t)n);
	_close_ int fd = -1;
	int r = copy_content(p, (int)m->size, &fd);

	while (!r && n > 0) {
		long got = sys_read(fd, buf, (size_t)n);

		if (got <= 0)
			return fail(got ? got : -EIO, "read the content of the pipe");
		add_piece(d, m, buf, (size_t)got);
		n -= (int)got;
	}
	if (r)
		return r;
	r = m->n_packet > 1 || p->flags & O_DIRECT
		    ? 1
		    : begins_with_packet(p, (int)m->size, (int)m->packet[0].len);
	m->has_packets = m->packets = r > 0;
	return r < 0 ? fail(r, "look at the slots of the pipe") : 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Pipe *m = msg;
	bool first;
	int n, size;

	m->pipe = files_group(d, p, &first);
	m->inode = p->st.st_ino;
	p->key = arena_printf(&d->arena, "pipe:[%" PRIu64 "]", m->inode);
	if (!first)
		return 0;
	size = sys_fcntl(p->fd, F_GETPIPE_SZ, 0);
	n = queued(p->fd);
	if (size < 0 || n < 0)
		return fail(size < 0 ? size : n, "descriptor %d: look at the pipe", p->number);
	m->has_size = m->has_uid = m->has_gid = true;
	m->size = (uint32_t)size;
	m->uid = p->st.st_uid;
	m->gid = p->st.st_gid;
	return n ? read_content(d, p, m, n) : 0;
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static uint64_t group(const void *msg)
{
	return ((const Pipe *)msg)->pipe;
}

static unsigned int access_of(const struct fd_obj *o)
{
	return o->ofd->flags & O_ACCMODE;
}

static struct fd_obj *born_end(struct fd_obj **member, size_t n, unsigned int mode)
{
	for (size_t i = 0; i < n; i++)
		if (access_of(member[i]) == mode && !(member[i]->ofd->flags & KERNEL_O_LARGEFILE))
			return member[i];
	return NULL;
}

/* One end, or both, come from pipe(2); all others are opened through it. */
static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	struct fd_obj *in = born_end(member, n, O_WRONLY), *out = born_end(member, n, O_RDONLY);
	struct fd_obj *maker = out ? out : in ? in : member[0];
	const void *full = NULL;

	for (size_t i = 0; i < n && !full; i++)
		full = ((const Pipe *)member[i]->msg)->has_size ? member[i]->msg : NULL;
	if (!full)
		return fail(-EPROTO, "image 'pipe': a pipe without a size");
	maker->msg = full; /* content and size were saved with the end that was met first */
	if (in)
		in->msg = full;
	if (in && out) {
		in->twin = out;
		out->twin = in;
	}
	for (size_t i = 0; i < n; i++) {
		if (member[i] == maker || member[i] == in)
			continue;
		member[i]->shared = true; /* opened below /proc */
		*vec_push(&r->arena, &member[i]->needs) = maker;
	}
	if (maker != in && maker != out)
		maker->shared = true;
	return 0;
}

/* --- open ----------------------------------------------------------------------------------------
 */

static int inject(int fd, const Pipe *m)
{
	int r = sys_fcntl(fd, F_SETFL, m->packets ? O_DIRECT | O_NONBLOCK : O_NONBLOCK);

	for (size_t i = 0; i < m->n_packet && r >= 0; i++)
		r = io_write(fd, m->packet[i].data, m->packet[i].len);
	return r < 0 ? fail(r, "fill the pipe") : 0;
}

static int set_up(int fd, const Pipe *m)
{
	struct stat st;
	int r = 0;

	if (sys_fcntl(fd, F_GETPIPE_SZ, 0) != (int)m->size)
		r = sys_fcntl(fd, F_SETPIPE_SZ, (int)m->size);
	if (r < 0)
		return fail(r, "give the pipe %" PRIu32 " bytes (see /proc/sys/fs/pipe-max-size)",
			    m->size);
	r = sys_stat(fd, "", 0, &st, NULL);
	if (!r && (st.st_uid != m->uid || st.st_gid != m->gid))
		r = (int)sys(SYS_fchown, fd, m->uid, m->gid);
	if (r)
		return fail(r, "give the pipe its owner");
	return m->n_packet ? inject(fd, m) : 0;
}

static int set_flags(int fd, const struct fd_obj *obj)
{
	int r = sys_fcntl(fd, F_SETFL, (long)(obj->ofd->flags & (O_NONBLOCK | O_DIRECT)));

	return r ? fail(r, "set the flags of the pipe") : 0;
}

static int reopen_flags(const struct fd_obj *obj)
{
	return (int)(obj->ofd->flags & (O_ACCMODE | O_NONBLOCK | O_DIRECT));
}

static int make(const struct fd_obj *obj)
{
	_close_ int in = -1, out = -1;
	bool born = !(obj->ofd->flags & KERNEL_O_LARGEFILE) && access_of(obj) != O_RDWR;
	int pair[2], r = (int)sys(SYS_pipe2, pair, O_CLOEXEC);
	int *own = access_of(obj) == O_WRONLY ? &in : &out;

	if (r)
		return fail(r, "make a pipe");
	out = pair[0];
	in = pair[1];
	r = set_up(in, obj->msg);
	if (r)
		return r;
	if (!born) {
		r = sys_reopen(*own, reopen_flags(obj));
		return r < 0 ? fail(r, "open the pipe anew") : r;
	}
	r = set_flags(*own, obj);
	if (!r && obj->twin)
		r = set_flags(own == &in ? out : in, obj->twin);
	if (r)
		return r;
	if (obj->twin)
		obj->twin->fd = take_fd(own == &in ? &out : &in);
	return take_fd(own);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	int fd;

	(void)o;
	if (!obj->needs.n)
		return make(obj);
	fd = sys_reopen(obj->needs.v[0]->fd, reopen_flags(obj));
	return fd < 0 ? fail(fd, "open the pipe anew") : fd;
}

const struct fd_kind kind_pipe = { .name = "pipe",
				   .descriptor = &pipe__descriptor,
				   .match = match,
				   .dump = dump,
				   .group = group,
				   .plan_group = plan_group,
				   .open = open_fd };
