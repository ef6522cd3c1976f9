/*
 * What waits in the queue of a unix socket, looked at with MSG_PEEK from an offset (SO_PEEK_OFF).
 *
 * A stream glues pieces together as far as sender and descriptors allow; a piece with descriptors
 * ends what one look yields. Where each piece begins is found by looking with a buffer that ends
 * in no memory: the kernel copies whole pieces only. An urgent byte ends a look before it and
 * begins the next, as a piece of its own. SO_PASSCRED is switched on meanwhile: it tells senders
 * apart, and a message of no bytes from the end. A message of no bytes is told once by the kernel:
 * an earlier look (a dump with -R) hides it. A pending error would be taken by looking beyond the
 * end of a stream, so its length is asked first. All options are put back.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "kernel/descriptor.h"
#include "sock/socket-options.h"
#include "sock/unix.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#define PASS_RIGHTS 83 /* SO_PASSRIGHTS, 6.16+ */
enum { BUFFER_BYTES = 256 << 10, CONTROL_BYTES = 8 << 10, MOST_FDS = 253,
       WINDOW_BYTES = 4096, NOWHERE = 16 /* an address where nothing can be */ };

struct piece {
	long n;
	bool has_cred;
	struct ucred cred;
	int fd[MOST_FDS];
	size_t n_fd;
	ProtobufCBinaryData sender;
};
struct looking {
	struct dump *d;
	struct fd_probe *p;
	Unix *m;
	char *buf, *control, *scratch;
	size_t size;
	struct piece at;
};
struct ends {
	VEC(size_t) end;
};

static long set(int fd, int name, int value)
{
	return sys(SYS_setsockopt, fd, SOL_SOCKET, name, &value, sizeof(value));
}

/* Nothing of the look may stay. */
static int put_back(struct looking *l, int name, int value)
{
	long r = set(l->p->fd, name, value);

	r = r ? set(l->p->fd, name, value) : 0;
	return r ? fail(r, "descriptor %d: put socket option %d back", l->p->number, name) : 0;
}

static void drop_fds(struct piece *q)
{
	while (q->n_fd)
		(void)sys_close(q->fd[--q->n_fd]); /* a copy of what stays in the queue */
}

static void read_control(struct piece *q, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			q->has_cred = true;
			memcpy(&q->cred, CMSG_DATA(c), sizeof(q->cred));
		} else if (c->cmsg_type == SCM_RIGHTS && n <= MOST_FDS) {
			memcpy(q->fd, CMSG_DATA(c), n * sizeof(int));
			q->n_fd = n;
		} else if (c->cmsg_type == SCM_PIDFD) {
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
			if (fd >= 0)
				(void)sys_close(fd); /* only made for us */
		}
	}
}

static bool is_end(long r)
{
	return r == -EAGAIN || r == -ENOTCONN || r == -EINVAL || r == -ECONNRESET;
}

/* l->at.n: the length of the message or piece at this offset, negative at the end. */
static int look_at(struct looking *l, size_t offset, size_t len)
{
	struct sockaddr_un name;
	struct iovec iov = { l->buf, len };
	struct msghdr h = { .msg_name = &name,
			    .msg_namelen = sizeof(name),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = l->control,
			    .msg_controllen = CONTROL_BYTES };
	int flags = MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC |
		    (l->m->type == SOCK_STREAM ? 0 : MSG_TRUNC);
	long r = set(l->p->fd, SO_PEEK_OFF, (int)offset);

	l->at = (struct piece){ 0 };
	if (r)
		return fail(r, "descriptor %d: look into the queue", l->p->number);
	l->at.n = sys(SYS_recvmsg, l->p->fd, &h, flags);
	if (l->at.n < 0)
		return is_end(l->at.n) ? 0
				       : fail(l->at.n, "descriptor %d: look into the queue",
					      l->p->number);
	read_control(&l->at, &h);
	if (h.msg_flags & MSG_CTRUNC) {
		drop_fds(&l->at);
		return fail(-EMSGSIZE, "descriptor %d: more travels with a message in its queue "
				       "than fits", l->p->number);
	}
	unix_name_keep(&l->d->arena, &name, h.msg_namelen, &l->at.sender);
	return 0;
}

static int add_files(struct looking *l, UnixMessage *s)
{
	struct piece *q = &l->at;
	int r = 0;

	s->file = arena_array(&l->d->arena, uint32_t, q->n_fd);
	for (size_t i = 0; i < q->n_fd && !r; i++) {
		r = files_meet(l->d, l->p->task, q->fd[i], &s->file[s->n_file]);
		q->fd[i] = -1;
		s->n_file++;
	}
	for (size_t i = 0; i < q->n_fd; i++)
		if (q->fd[i] >= 0)
			(void)sys_close(q->fd[i]); /* a copy of what stays in the queue */
	q->n_fd = 0;
	return r;
}

/* n bytes of the piece at hand; its descriptors come with it if `files`. */
static int add(struct looking *l, size_t from, size_t n, bool files, UnixMessage **ret)
{
	struct arena *a = &l->d->arena;
	UnixMessage *s = arena_new(a, UnixMessage);
	Unix *m = l->m;

	unix_message__init(s);
	s->bytes = (ProtobufCBinaryData){ n, arena_memdup(a, l->buf + from, n) };
	s->has_sender = l->at.sender.len > 0;
	s->sender = l->at.sender;
	if (l->at.has_cred && l->at.cred.pid > 0) {
		s->cred = arena_new(a, UnixCred);
		unix_cred__init(s->cred);
		s->cred->pid = l->at.cred.pid;
		s->cred->uid = l->at.cred.uid;
		s->cred->gid = l->at.cred.gid;
	}
	m->queue = arena_grow(a, m->queue, m->n_queue * sizeof(s), (m->n_queue + 1) * sizeof(s));
	m->queue[m->n_queue++] = s;
	if (ret)
		*ret = s;
	return files ? add_files(l, s) : 0;
}

/* --- messages ------------------------------------------------------------------------------------
 */

static int grow(struct looking *l, size_t len)
{
	if (len <= l->size)
		return 0;
	l->d->unix_space->buf = l->buf = arena_alloc(&l->d->arena, len);
	l->d->unix_space->size = l->size = len;
	return 1;
}

static int dump_messages(struct looking *l)
{
	size_t offset = 0;
	int r;

	while (true) {
		r = look_at(l, offset, l->size);
		if (!r && l->at.n == -ECONNRESET && l->m->error)
			r = look_at(l, offset, l->size); /* the error came first */
		if (!r && l->at.n > 0 && grow(l, (size_t)l->at.n)) {
			drop_fds(&l->at);
			r = look_at(l, offset, l->size);
		}
		if (r || l->at.n < 0)
			return r;
		if (!l->at.n && !l->at.has_cred)
			return 0; /* the end: something was shut down */
		offset += (size_t)l->at.n;
		r = add(l, 0, (size_t)l->at.n, true, NULL);
		if (r)
			return r;
	}
}

/* --- streams -------------------------------------------------------------------------------------
 */

/*
 * Where a piece ends that was sent by itself: the kernel copies one after the other, and gives up
 * before the one that does not fit into memory that is there. Yields the last end up to `len`
 * bytes behind `offset`; -EFAULT: not even the first one ends before that.
 */
static long look_for_end(struct looking *l, size_t offset, size_t len)
{
	struct iovec iov[2] = { { l->scratch, len }, { (void *)NOWHERE, BUFFER_BYTES } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	long r = set(l->p->fd, SO_PEEK_OFF, (int)offset);

	return r ?: sys(SYS_recvmsg, l->p->fd, &h, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
}

/* Ends in the part that was looked at, which itself is one. They are found last first. */
static int find_ends(struct looking *l, size_t offset, struct ends *ret)
{
	size_t total = (size_t)l->at.n, from = 0, window = WINDOW_BYTES;

	ret->end.n = 0;
	while (from < total) {
		size_t len = total - from < window ? total - from : window, first = ret->end.n;
		long n = len == total - from ? (long)len : look_for_end(l, offset + from, len);

		if (n == -EFAULT) {
			window *= 2;
			continue;
		}
		while (n > 0) {
			*vec_push(&l->d->arena, &ret->end) = from + (size_t)n;
			n = n > 1 ? look_for_end(l, offset + from, (size_t)n - 1) : 0;
		}
		if (n < 0 && n != -EFAULT)
			return fail(n, "descriptor %d: look into the queue", l->p->number);
		for (size_t i = first, j = ret->end.n - 1; i < j; i++, j--) {
			size_t swap = ret->end.v[i];

			ret->end.v[i] = ret->end.v[j];
			ret->end.v[j] = swap;
		}
		from = ret->end.v[ret->end.n - 1];
		window = WINDOW_BYTES;
	}
	return 0;
}

struct urgent { /* where the urgent byte may be */
	bool any, sure;
	char byte;
	UnixMessage *at;
};

/* A piece that begins where a look ended: because of an urgent byte? */
static void consider(struct urgent *u, UnixMessage *s, bool explained)
{
	if (!u->any || s->bytes.len != 1 || (char)s->bytes.data[0] != u->byte ||
	    (u->sure && explained))
		return;
	u->at = s;
	u->sure |= !explained;
}

/* All pieces of what one look yielded; descriptors belong to the last. */
static int add_pieces(struct looking *l, const struct ends *e, UnixMessage **ret_first)
{
	size_t from = 0;
	UnixMessage *s;
	int r = 0;

	for (size_t i = 0; i < e->end.n && !r; i++) {
		r = add(l, from, e->end.v[i] - from, i + 1 == e->end.n, &s);
		if (!i)
			*ret_first = s;
		from = e->end.v[i];
	}
	return r;
}

static int dump_stream(struct looking *l, size_t total, struct urgent *u)
{
	struct ends ends = { 0 };
	UnixMessage *s = NULL;
	size_t offset = 0;
	int r = 0, mark = 0;
	bool explained;

	(void)sys_ioctl(l->p->fd, SIOCATMARK, &mark); /* 0 where there is none */
	while (offset < total) {
		struct ucred before = l->at.cred;
		bool had_fds = l->m->n_queue && l->m->queue[l->m->n_queue - 1]->n_file;

		r = look_at(l, offset, l->size);
		if (r || l->at.n <= 0)
			return r;
		if ((size_t)l->at.n == l->size) { /* cut: whose descriptors came is not clear */
			drop_fds(&l->at);
			l->at.n = look_for_end(l, offset, l->size - 1);
		}
		r = l->at.n < 0 ? fail(l->at.n, "descriptor %d: look into the queue", l->p->number)
				: find_ends(l, offset, &ends);
		if (r)
			return r;
		explained = had_fds || memcmp(&before, &l->at.cred, sizeof(before));
		offset += (size_t)l->at.n;
		r = r ?: add_pieces(l, &ends, &s);
		if (r)
			return r;
		if (offset != (size_t)l->at.n)
			consider(u, s, explained);
		else if (mark && u->any)
			*u = (struct urgent){ true, true, u->byte, s };
	}
	return 0;
}

static int dump_bytes(struct looking *l, bool urgent)
{
	struct urgent u = { 0 };
	int total = 0, r = sys_ioctl(l->p->fd, FIONREAD, &total);
	bool in_line = socket_int(l->p->fd, SOL_SOCKET, SO_OOBINLINE) > 0;

	if (r)
		return fail(r, "descriptor %d: ask how much waits", l->p->number);
	if (urgent) {
		unix_keeper_note(l->d->unix_space, SO_OOBINLINE, in_line);
		if (in_line)
			(void)set(l->p->fd, SO_OOBINLINE, 0); /* to be asked for it */
		u.any = sys(SYS_recvfrom, l->p->fd, &u.byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT,
			    NULL, NULL) == 1;
		(void)set(l->p->fd, SO_OOBINLINE, 1); /* at the mark it is skipped otherwise */
	}
	r = dump_stream(l, (size_t)total, &u);
	if (urgent)
		r = put_back(l, SO_OOBINLINE, in_line) ?: r;
	if (u.at)
		u.at->has_urgent = u.at->urgent = true;
	else if (urgent && !r)
		return fd_refuse(l->d, l->p, "where the urgent byte in its queue is cannot be seen",
				 "receive it before the dump");
	return r;
}

/* --- both ----------------------------------------------------------------------------------------
 */

/* One pair of buffers serves all sockets. */
static void take_buffers(struct looking *l)
{
	struct unix_space *s = l->d->unix_space;

	if (!s->buf) {
		s->size = BUFFER_BYTES;
		s->buf = arena_alloc(&l->d->arena, BUFFER_BYTES);
		s->control = arena_alloc(&l->d->arena, CONTROL_BYTES);
		s->scratch = arena_alloc(&l->d->arena, BUFFER_BYTES);
	}
	l->size = s->size;
	l->buf = s->buf;
	l->control = s->control;
	l->scratch = s->scratch;
}

/* The options that have to be on: 1 was off, 0 was on or does not exist, -errno. */
static int switch_on(struct looking *l, int name)
{
	long r = socket_int(l->p->fd, SOL_SOCKET, name);

	if (r == 0) {
		unix_keeper_note(l->d->unix_space, name, 0);
		r = set(l->p->fd, name, 1); /* its readers are stopped */
		return r ? fail(r, "descriptor %d: set socket option %d", l->p->number, name) : 1;
	}
	if (r > 0 || r == -ENOPROTOOPT || r == -EOPNOTSUPP)
		return 0;
	return fail(r, "descriptor %d: ask for socket option %d", l->p->number, name);
}

static int look_through(struct looking *l, bool urgent)
{
	static const int wanted[] = { SO_PASSCRED, PASS_RIGHTS };
	int before = 0, on[2] = { 0 }, r = 0, e = 0;
	uint32_t len = sizeof(before);

	r = (int)sys(SYS_getsockopt, l->p->fd, SOL_SOCKET, SO_PEEK_OFF, &before, &len);
	if (r)
		return fail(r, "descriptor %d: ask for socket option %d", l->p->number,
			    SO_PEEK_OFF);
	take_buffers(l);
	r = unix_keeper_begin(l->d->unix_space, l->p->fd);
	if (r)
		return r;
	unix_keeper_note(l->d->unix_space, SO_PEEK_OFF, before);
	for (int i = 0; i < 2 && r >= 0; i++)
		r = on[i] = switch_on(l, wanted[i]);
	if (r >= 0)
		r = l->m->type == SOCK_STREAM ? dump_bytes(l, urgent) : dump_messages(l);
	for (int i = 0; i < 2; i++)
		e = on[i] > 0 ? put_back(l, wanted[i], 0) ?: e : e;
	e = put_back(l, SO_PEEK_OFF, before) ?: e;
	unix_keeper_done(l->d->unix_space);
	return r < 0 ? r : e;
}

int unix_queue_dump(struct dump *d, struct fd_probe *p, Unix *m)
{
	struct looking l = { .d = d, .p = p, .m = m };
	struct pollfd look = { p->fd, POLLIN | POLLPRI, 0 };
	long r;

	if (m->listens || (m->type != SOCK_DGRAM && !m->connected))
		return 0;
	r = sys(SYS_poll, &look, 1, 0); /* zero: nothing waits */
	if (r < 0)
		return fail(r, "descriptor %d: ask whether anything waits", p->number);
	m->has_error = m->error = look.revents & POLLERR;
	if (!(look.revents & POLLIN))
		return 0;
	if (m->error && m->type != SOCK_STREAM && d->opt->leave_running)
		return fd_refuse(
			d, p, "an error waits before what is in its queue; looking would take it",
			"dump without --leave-running");
	return look_through(&l, look.revents & POLLPRI);
}
