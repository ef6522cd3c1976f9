/*
 * The content of pipes. tee(2) consumes nothing: it copies into a pipe of the same number of slots,
 * which is read instead. In packet mode each slot is a packet and a read yields one of them. On
 * restore the size comes first, then the content by write(2), because only written slots can be
 * appended to, packet by packet where they are packets. Whether a single queued packet of one byte
 * is a packet cannot be seen.
 */
#include "pipe-content.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/descriptor.h"

/* A private pipe with everything that is queued; *ret_fd: its reading end. */
static int copy(const struct fd_probe *p, uint32_t size, int *ret_fd)
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
		return fail(r, "make a pipe of %" PRIu32 " bytes", size);
	r = sys(SYS_tee, from, in, size, SPLICE_F_NONBLOCK);
	if (r < 0)
		return fail(r, "copy the content of the pipe");
	*ret_fd = take_fd(&out);
	return 0;
}

static void add_piece(struct dump *d, struct pipe_content *c, const void *bytes, size_t len)
{
	c->packet = arena_grow(&d->arena, c->packet, c->n_packet * sizeof(*c->packet),
			       (c->n_packet + 1) * sizeof(*c->packet));
	c->packet[c->n_packet].data = arena_memdup(&d->arena, bytes, len);
	c->packet[c->n_packet++].len = len;
}

static int queued(int fd)
{
	int n = 0, r = sys_ioctl(fd, FIONREAD, &n);

	return r < 0 ? r : n;
}

/* Whether the first slot is a packet: reading one byte throws the rest of a packet away. */
static int begins_with_packet(const struct fd_probe *p, uint32_t size, size_t n)
{
	_close_ int fd = -1;
	char byte;
	int r = copy(p, size, &fd);
	long got = r ? r : sys_read(fd, &byte, 1);

	if (got < 0)
		return (int)got;
	r = queued(fd);
	return r < 0 ? r : (size_t)r != n - 1;
}

static int read_all(struct dump *d, const struct fd_probe *p, struct pipe_content *c, int n)
{
	char *buf = arena_alloc(&d->arena, (size_t)n);
	_close_ int fd = -1;
	int r = copy(p, c->size, &fd);

	while (!r && n > 0) {
		long got = sys_read(fd, buf, (size_t)n);

		if (got <= 0)
			return fail(got ? got : -EIO, "read the content of the pipe");
		add_piece(d, c, buf, (size_t)got);
		n -= (int)got;
	}
	if (r)
		return r;
	r = c->n_packet > 1 || p->flags & O_DIRECT
		    ? 1
		    : begins_with_packet(p, c->size, c->packet[0].len);
	c->packets = r > 0;
	return r < 0 ? fail(r, "look at the slots of the pipe") : 0;
}

int pipe_content_dump(struct dump *d, const struct fd_probe *p, struct pipe_content *ret)
{
	int size = sys_fcntl(p->fd, F_GETPIPE_SZ, 0), n = queued(p->fd);

	if (size < 0 || n < 0)
		return fail(size < 0 ? size : n, "descriptor %d: look at the pipe", p->number);
	*ret = (struct pipe_content){ .size = (uint32_t)size };
	return n ? read_all(d, p, ret, n) : 0;
}

int pipe_content_restore(int fd, const struct pipe_content *c)
{
	int r = 0;

	if (sys_fcntl(fd, F_GETPIPE_SZ, 0) != (int)c->size)
		r = sys_fcntl(fd, F_SETPIPE_SZ, (int)c->size);
	if (r < 0)
		return fail(r, "give the pipe %" PRIu32 " bytes (see /proc/sys/fs/pipe-max-size)",
			    c->size);
	if (!c->n_packet)
		return 0;
	r = sys_fcntl(fd, F_SETFL, c->packets ? O_DIRECT | O_NONBLOCK : O_NONBLOCK);
	for (size_t i = 0; i < c->n_packet && r >= 0; i++)
		r = io_write(fd, c->packet[i].data, c->packet[i].len);
	return r < 0 ? fail(r, "fill the pipe") : 0;
}
