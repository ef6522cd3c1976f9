/*
 * What waits in the queue of a unix socket, looked at with MSG_PEEK from an offset (SO_PEEK_OFF).
 *
 * A stream glues pieces together as far as sender and descriptors allow; a piece with descriptors
 * ends what one look yields, and where it begins is found by looking at less. An urgent byte ends a
 * look before it and begins the next. SO_PASSCRED is switched on meanwhile: it tells senders apart,
 * and a message of no bytes from the end. A message of no bytes is told once by the kernel: an
 * earlier look (a dump with -R) hides it. A pending error would be taken by looking beyond the end
 * of a stream, so its length is asked first. All options are put back.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "kernel/descriptor.h"
#include "sock/unix.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#define PASS_RIGHTS 83 /* SO_PASSRIGHTS, 6.16+ */
enum { BUFFER_BYTES = 256 << 10, CONTROL_BYTES = 8 << 10, MOST_FDS = 253 };

struct piece {
	long n;
	bool has_cred, explained; /* explained: it ended for another reason than an urgent byte */
	struct ucred cred;
	int fd[MOST_FDS];
	size_t n_fd;
	ProtobufCBinaryData sender;
};
struct looking {
	struct dump *d;
	struct fd_probe *p;
	Unix *m;
	char *buf, *control;
	size_t size;
	struct piece at;
};

static long set(int fd, int name, int value)
{
	return sys(SYS_setsockopt, fd, SOL_SOCKET, name, &value, sizeof(value));
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
		return 0;
	read_control(&l->at, &h);
	if (h.msg_flags & MSG_CTRUNC) {
		drop_fds(&l->at);
		return fail(-EMSGSIZE, "descriptor %d: more travels with a message in its queue "
				       "than fits", l->p->number);
	}
	if (h.msg_namelen > sizeof(sa_family_t))
		l->at.sender = (ProtobufCBinaryData){
			h.msg_namelen - sizeof(sa_family_t),
			arena_memdup(&l->d->arena, name.sun_path,
				     h.msg_namelen - sizeof(sa_family_t))
		};
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

/* The first n bytes of the piece at hand; its descriptors come with it if `files`. */
static int add(struct looking *l, size_t n, bool files, UnixMessage **ret)
{
	struct arena *a = &l->d->arena;
	UnixMessage *s = arena_new(a, UnixMessage);
	Unix *m = l->m;

	unix_message__init(s);
	s->bytes = (ProtobufCBinaryData){ n, arena_memdup(a, l->buf, n) };
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
		r = add(l, (size_t)l->at.n, true, NULL);
		if (r)
			return r;
	}
}

/* --- streams -------------------------------------------------------------------------------------
 */

/* How much of the piece at `offset` lies before the bytes that descriptors belong to. */
static int find_files(struct looking *l, size_t offset, size_t *ret)
{
	size_t low = 1, high = (size_t)l->at.n; /* so many bytes yield them for certain */

	drop_fds(&l->at);
	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = look_at(l, offset, middle);
		bool any = l->at.n_fd > 0;

		drop_fds(&l->at);
		if (r)
			return r;
		if (any)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low - 1;
	return look_at(l, offset, l->size);
}

struct urgent { /* where the urgent byte may be */
	bool any, sure;
	char byte;
	UnixMessage *at;
};

static bool same_cred(const struct ucred *a, const UnixMessage *b)
{
	return b->cred ? a->pid == b->cred->pid && a->uid == b->cred->uid && a->gid == b->cred->gid
		       : a->pid <= 0;
}

/* The message just added begins where a look ended: because of an urgent byte? */
static void consider(struct urgent *u, UnixMessage *s, bool explained,
		     const struct ucred *before)
{
	bool sure = !explained && same_cred(before, s);

	if (!u->any || !s->bytes.len || (char)s->bytes.data[0] != u->byte || (u->sure && !sure))
		return;
	u->at = s;
	u->sure |= sure;
}

static int dump_stream(struct looking *l, size_t total, struct urgent *u)
{
	bool explained = true, first = true;
	struct ucred before = { 0 };
	size_t offset = 0, plain;
	UnixMessage *s = NULL;
	int r = 0, mark = 0;

	(void)sys_ioctl(l->p->fd, SIOCATMARK, &mark); /* 0 where there is none */
	while (offset < total && !r) {
		r = look_at(l, offset, l->size);
		if (r || l->at.n <= 0)
			return r;
		plain = 0;
		if (l->at.n_fd)
			r = find_files(l, offset, &plain);
		if (r)
			return r;
		if (plain)
			drop_fds(&l->at); /* they come with what follows */
		plain = plain ? plain : (size_t)l->at.n;
		r = add(l, plain, l->at.n_fd > 0, &s);
		if (first && mark && u->any)
			*u = (struct urgent){ true, true, u->byte, s };
		else if (!first)
			consider(u, s, explained, &before);
		explained = s->n_file || plain < (size_t)l->at.n || plain == l->size;
		before = l->at.cred;
		offset += plain;
		first = false;
	}
	return r;
}

static int dump_bytes(struct looking *l, bool urgent)
{
	struct urgent u = { 0 };
	int total = 0, r = sys_ioctl(l->p->fd, FIONREAD, &total);
	bool in_line = unix_option(l->p->fd, SO_OOBINLINE) > 0;

	if (r)
		return fail(r, "descriptor %d: ask how much waits", l->p->number);
	if (urgent) {
		if (in_line)
			(void)set(l->p->fd, SO_OOBINLINE, 0); /* to be asked for it */
		u.any = sys(SYS_recvfrom, l->p->fd, &u.byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT,
			    NULL, NULL) == 1;
		(void)set(l->p->fd, SO_OOBINLINE, 1); /* at the mark it is skipped otherwise */
	}
	r = dump_stream(l, (size_t)total, &u);
	if (urgent && !in_line)
		(void)set(l->p->fd, SO_OOBINLINE, 0); /* as it was */
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
	}
	l->size = s->size;
	l->buf = s->buf;
	l->control = s->control;
}

static int look_through(struct looking *l, bool urgent)
{
	static const int wanted[] = { SO_PASSCRED, PASS_RIGHTS };
	struct fd_probe *p = l->p;
	int before = (int)unix_option(p->fd, SO_PEEK_OFF), r;
	bool off[2];

	for (int i = 0; i < 2; i++) {
		off[i] = unix_option(p->fd, wanted[i]) == 0;
		if (off[i])
			(void)set(p->fd, wanted[i], 1); /* its readers are stopped */
	}
	take_buffers(l);
	r = l->m->type == SOCK_STREAM ? dump_bytes(l, urgent) : dump_messages(l);
	for (int i = 0; i < 2; i++)
		if (off[i])
			(void)set(p->fd, wanted[i], 0); /* as it was */
	(void)set(p->fd, SO_PEEK_OFF, before);		/* as it was */
	return r;
}

int unix_queue_dump(struct dump *d, struct fd_probe *p, Unix *m)
{
	struct looking l = { .d = d, .p = p, .m = m };
	struct pollfd look = { p->fd, POLLIN | POLLPRI, 0 };

	if (m->listens || (m->type != SOCK_DGRAM && !m->connected))
		return 0;
	(void)sys(SYS_poll, &look, 1, 0); /* zero: nothing waits */
	m->has_error = m->error = look.revents & POLLERR;
	if (!(look.revents & POLLIN))
		return 0;
	if (m->error && m->type != SOCK_STREAM && d->opt->leave_running)
		return fd_refuse(d, p,
				 "an error waits before what is in its queue; looking would take it",
				 "dump without --leave-running");
	return look_through(&l, look.revents & POLLPRI);
}
