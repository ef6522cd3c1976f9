/*
 * Pipes. All descriptions with one pipefs inode are one pipe: usually one end for reading and one
 * for writing, but an end may be closed, and more ends come from opening /proc/self/fd/N (those
 * have O_LARGEFILE, which pipe(2) does not set).
 *
 * Whether the other side is open outside the tree can be seen while this side is polled; such a
 * pipe is restored only together with a descriptor of the caller (--inherit-fd), and the dump says
 * so. What cannot be seen: who was charged for the pipe's memory.
 */
#include "pipe.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "fd/pipe-content.h"
#include "kernel/descriptor.h"

static bool match(struct dump *d, struct fd_probe *p)
{
	return S_ISFIFO(p->st.st_mode) && fd_fs_type(d, p) == PIPEFS_MAGIC;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

/* Whether anybody has the other side of this end. */
static bool other_side_open(const struct fd_probe *p)
{
	struct pollfd f = { p->fd, 0, 0 };

	if ((p->flags & O_ACCMODE) == O_RDWR)
		return false;
	return sys(SYS_poll, &f, 1, 0) == 0; /* else POLLERR or POLLHUP */
}

enum { READ_SIDE = 1, WRITE_SIDE = 2 };

struct pipe_side {
	const char *key;
	unsigned int have, open; /* in the tree; by anybody */
};
struct pipe_sides {
	VEC(struct pipe_side) pipe; /* index: number of the pipe */
};

static void note_sides(struct dump *d, const struct fd_probe *p, const Pipe *m)
{
	unsigned int mode = p->flags & O_ACCMODE;
	struct pipe_side *s;

	if (!d->pipes)
		d->pipes = arena_new(&d->arena, struct pipe_sides);
	while (d->pipes->pipe.n <= m->pipe)
		*vec_push(&d->arena, &d->pipes->pipe) = (struct pipe_side){ .key = p->key };
	s = &d->pipes->pipe.v[m->pipe];
	s->key = p->key;
	s->have |= mode == O_RDONLY   ? READ_SIDE
		   : mode == O_WRONLY ? WRITE_SIDE
				      : READ_SIDE | WRITE_SIDE;
	if (m->other_side)
		s->open |= READ_SIDE | WRITE_SIDE;
}

/* Told now: the tree is about to go away. */
static int end(struct dump *d, bool look)
{
	if (look || !d->pipes)
		return 0;
	vec_foreach(s, &d->pipes->pipe)
		if (s->open & ~s->have)
			log_warn("%s: its other side is held outside of the tree; the restore will "
				 "ask for --inherit-fd 'fd[N]:%s'",
				 s->key, s->key);
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct pipe_content c;
	Pipe *m = msg;
	bool first;
	int r;

	m->pipe = files_group(d, p, &first);
	m->inode = p->st.st_ino;
	p->key = arena_printf(&d->arena, "pipe:[%" PRIu64 "]", m->inode);
	m->has_other_side = m->other_side = other_side_open(p);
	note_sides(d, p, m);
	if (!first)
		return 0;
	r = pipe_content_dump(d, p, &c);
	if (r)
		return r;
	m->has_size = m->has_uid = m->has_gid = true;
	m->size = c.size;
	m->packet = c.packet;
	m->n_packet = c.n_packet;
	m->has_packets = m->packets = c.packets;
	m->uid = p->st.st_uid;
	m->gid = p->st.st_gid;
	return 0;
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

static bool any_end(struct fd_obj **member, size_t n, unsigned int mode)
{
	for (size_t i = 0; i < n; i++)
		if (access_of(member[i]) == mode || access_of(member[i]) == O_RDWR)
			return true;
	return false;
}

/* A side that was open, and by nobody in the tree. */
static int check_outside(struct restore *r, struct fd_obj **member, size_t n)
{
	const char *key = member[0]->ofd->key ? member[0]->ofd->key : "pipe";
	bool outside = false;

	for (size_t i = 0; i < n; i++)
		outside |=
			((const Pipe *)member[i]->msg)->other_side &&
			!any_end(member, n, access_of(member[i]) == O_WRONLY ? O_RDONLY : O_WRONLY);
	return !outside ? 0
			: refuse(&r->blockers, 0, key, "its other side is held outside of the tree",
				 arena_printf(
					 &r->arena,
					 "hand over an end, or /dev/null: --inherit-fd 'fd[N]:%s'",
					 key));
}

/* One end, or both, come from pipe(2); all others are opened through it. */
static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	struct fd_obj *in = born_end(member, n, O_WRONLY), *out = born_end(member, n, O_RDONLY);
	struct fd_obj *maker = out ? out : in ? in : member[0];
	const void *full = NULL;
	int e = check_outside(r, member, n);

	if (e)
		return e;
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

static int set_up(int fd, const Pipe *m)
{
	const struct pipe_content c = { m->size, m->n_packet, m->packet, m->packets };
	struct stat st;
	int r = sys_stat(fd, "", 0, &st, NULL);

	if (!r && (st.st_uid != m->uid || st.st_gid != m->gid))
		r = (int)sys(SYS_fchown, fd, m->uid, m->gid);
	return r ? fail(r, "give the pipe its owner") : pipe_content_restore(fd, &c);
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
				   .alone = true,
				   .descriptor = &pipe__descriptor,
				   .match = match,
				   .dump = dump,
				   .end = end,
				   .group = group,
				   .plan_group = plan_group,
				   .open = open_fd };
