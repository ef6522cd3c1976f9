/*
 * The content of pipes. tee(2) consumes nothing: it copies into a pipe of the dump's own with at
 * least as many slots, which is read instead. In packet mode each slot is a packet and a read
 * yields one of them. On restore the size comes first, then the content by write(2), because only
 * written slots can be appended to, packet by packet where they are packets. Whether a single
 * queued packet of one byte is a packet cannot be seen.
 */
#include "pipe-content.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/descriptor.h"

/* The dump's own pipe, empty and at least as large. */
static int scratch_fit(struct scratch_pipe *s, uint32_t size)
{
	int r = 0;

	if (!s->size) {
		r = (int)sys(SYS_pipe2, s->end, O_CLOEXEC | O_NONBLOCK);
		if (r)
			return fail(r, "make a pipe");
		s->size = 1;
	}
	if (s->size < size) {
		r = sys_fcntl(s->end[1], F_SETPIPE_SZ, size);
		if (r < 0)
			return fail(r, "make a pipe of %" PRIu32 " bytes", size);
		s->size = size;
	}
	return 0;
}

/* Copies everything that is queued into the dump's own pipe; *ret_fd: its reading end. */
static int copy(struct dump *d, const struct fd_probe *p, uint32_t size, int *ret_fd)
{
	struct scratch_pipe *s = files_scratch(d);
	_close_ int reopened = -1;
	int from = p->fd;
	long r = scratch_fit(s, size);

	if (r)
		return (int)r;
	if ((p->flags & O_ACCMODE) == O_WRONLY) {
		from = reopened = sys_reopen(p->fd, O_RDONLY | O_NONBLOCK);
		if (from < 0)
			return fail(from, "open the pipe for reading");
	}
	r = sys(SYS_tee, from, s->end[1], size, SPLICE_F_NONBLOCK);
	if (r < 0)
		return fail(r, "copy the content of the pipe");
	*ret_fd = s->end[0];
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

/*
 * Reads the first byte of the copy: 1 and nothing left in it if it was of a packet (the rest of a
 * packet is thrown away), 0 if the rest is still there.
 */
static int begins_with_packet(int fd, char *buf, int n)
{
	long got = sys_read(fd, buf, 1);
	int left = got < 0 ? (int)got : queued(fd);

	if (left < 0 || left == n - 1)
		return left < 0 ? left : 0;
	while (got > 0)
		got = sys_read(fd, buf, (size_t)n);
	return got == -EAGAIN ? 1 : (int)got;
}

static int read_all(struct dump *d, const struct fd_probe *p, struct pipe_content *c, int n)
{
	char *buf = arena_alloc(&d->arena, (size_t)n);
	bool packets = p->flags & O_DIRECT;
	int fd, from = 0, at = 0, r = copy(d, p, c->size, &fd);

	if (!r && !packets) {
		r = begins_with_packet(fd, buf, n);
		if (r < 0)
			return fail(r, "look at the slots of the pipe");
		packets = r;
		at = !packets;
		r = packets ? copy(d, p, c->size, &fd) : 0;
	}
	while (!r && at < n) {
		long got = sys_read(fd, buf + at, (size_t)(n - at));

		if (got <= 0)
			return fail(got ? got : -EIO, "read the content of the pipe");
		at += (int)got;
		add_piece(d, c, buf + from, (size_t)(at - from));
		from = at;
	}
	if (!r && from < at)
		add_piece(d, c, buf, 1);
	c->packets = packets || c->n_packet > 1;
	return r;
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
