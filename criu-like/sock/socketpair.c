/*
 * Connected unix sockets without names, which is what socketpair(2) makes, and unnamed ones that
 * were never connected.
 *
 * sock_diag tells who is connected with whom, and what was shut down. What waits in a queue is
 * looked at with MSG_PEEK and a moving offset (SO_PEEK_OFF, put back afterwards) and sent again
 * from the other end; a boundary between messages is kept where the type has any. The kernel
 * remembers the maker (SO_PEERCRED): where that is not the task itself, a stand-in with its pid,
 * user and group makes the pair. Descriptors in a queue, and urgent bytes, are refused. Lost: the
 * groups of the maker, a pending error, the credentials of single messages.
 */
#include "socketpair.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "core/build/stand-in.h"
#include "kernel/descriptor.h"
#include "kernel/unix-diag.h"
#include "sock/socket-options.h"

enum { MESSAGE_BYTES = 256 << 10, CHUNK_BYTES = 32 << 10, SHUT_RECEIVE = 1, SHUT_SEND = 2 };

static long option(int fd, int name)
{
	int value = -1;
	uint32_t len = sizeof(value);
	long r = sys(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &len);

	return r ? r : value;
}

/* Length of the name of this end or the other: 0 none, negative: not connected. */
static long name_len(int fd, long call)
{
	struct sockaddr_un a;
	uint32_t len = sizeof(a);
	long r = sys(call, fd, &a, &len);

	return r ? r : (long)len - (long)sizeof(sa_family_t);
}

static bool match(struct dump *d, struct fd_probe *p)
{
	long peer;

	(void)d;
	if (!S_ISSOCK(p->st.st_mode) || p->flags & O_PATH || option(p->fd, SO_DOMAIN) != AF_UNIX)
		return false;
	if (name_len(p->fd, SYS_getsockname) || option(p->fd, SO_ACCEPTCONN))
		return false;
	peer = name_len(p->fd, SYS_getpeername);
	return peer == 0 || peer == -ENOTCONN;
}

/* --- the queue -----------------------------------------------------------------------------------
 */

static int add_message(struct dump *d, Socketpair *m, const char *bytes, size_t len)
{
	SocketMessage *s = arena_new(&d->arena, SocketMessage);

	socket_message__init(s);
	s->bytes = (ProtobufCBinaryData){ len, arena_memdup(&d->arena, bytes, len) };
	m->queue = arena_grow(&d->arena, m->queue, m->n_queue * sizeof(s),
			      (m->n_queue + 1) * sizeof(s));
	m->queue[m->n_queue++] = s;
	return 0;
}

/* Closes what came along; whether anything did. *ret_cred: there is a message at all. */
static bool close_received(struct msghdr *h, bool *ret_cred)
{
	bool any = false;

	*ret_cred = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		*ret_cred |= c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++)
			(void)sys_close(
				((int *)CMSG_DATA(c))[i]); /* a copy of what stays in the queue */
		any = true;
	}
	return any;
}

/* 1: a message was added, 0: the end, -errno. */
static int peek_one(struct dump *d, struct fd_probe *p, Socketpair *m, char *buf)
{
	char control[CMSG_SPACE(253 * sizeof(int)) + 256];
	struct iovec iov = { buf, MESSAGE_BYTES };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	bool cred;
	long n = sys(SYS_recvmsg, p->fd, &h, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n == -EAGAIN || n == -ENOTCONN || n == -EINVAL || n == -ECONNRESET)
		return 0;
	if (n < 0)
		return fail(n, "descriptor %d: look into the queue", p->number);
	if (close_received(&h, &cred))
		return fd_refuse(d, p, "descriptors travel in its queue",
				 "receive them before the dump");
	if (h.msg_flags & MSG_TRUNC)
		return fd_refuse(d, p, "a message in its queue is larger than 256 KiB",
				 "receive it before the dump");
	if (!n && (m->type == SOCK_STREAM || (m->shutdown & SHUT_RECEIVE && !cred)))
		return 0;
	(void)add_message(d, m, buf, (size_t)n);
	return 1;
}

static long set(int fd, int name, const int *value)
{
	return sys(SYS_setsockopt, fd, SOL_SOCKET, name, value, sizeof(*value));
}

static int dump_queue(struct dump *d, struct fd_probe *p, Socketpair *m)
{
	struct pollfd look = { p->fd, POLLIN | POLLPRI, 0 };
	int zero = 0, one = 1, before = (int)option(p->fd, SO_PEEK_OFF), r;
	int cred = (int)option(p->fd, SO_PASSCRED);
	char buf[MESSAGE_BYTES];

	(void)sys(SYS_poll, &look, 1, 0); /* zero: nothing waits */
	if (look.revents & POLLPRI)
		return fd_refuse(d, p, "an urgent byte waits in its queue",
				 "receive it before the dump");
	if (!(look.revents & POLLIN))
		return 0;
	r = (int)set(p->fd, SO_PEEK_OFF, &zero);
	if (r)
		return fail(r, "descriptor %d: look into the queue", p->number);
	if (m->shutdown & SHUT_RECEIVE && !cred) /* tells an empty message from the end */
		(void)set(p->fd, SO_PASSCRED, &one);
	do
		r = peek_one(d, p, m, buf);
	while (r > 0);
	(void)set(p->fd, SO_PEEK_OFF, &before); /* as it was */
	if (!cred)
		(void)set(p->fd, SO_PASSCRED, &zero); /* as it was */
	return r;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int dump_peer(struct dump *d, struct fd_probe *p, Socketpair *m)
{
	struct unix_diag u;
	int r = unix_diag_get((uint32_t)p->st.st_ino, &u);

	if (r == -ENOENT)
		return fd_refuse(d, p, "it belongs to another network namespace", NULL);
	if (r)
		return fail(r, "descriptor %d: ask for its peer", p->number);
	m->shutdown = u.shutdown;
	m->has_pair = u.has_peer;
	m->has_peer = u.has_peer && u.peer;
	m->peer = u.peer;
	m->pair = m->has_peer && u.peer < (uint32_t)m->inode ? u.peer : (uint32_t)m->inode;
	if (m->has_peer && !files_seen(d, p->st.st_dev, u.peer))
		return fd_refuse(d, p,
				 arena_printf(&d->arena,
					      "its peer (socket:[%" PRIu32 "]) is held outside of "
					      "the tree",
					      u.peer),
				 "dump the process that holds it as well, or close it");
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Socketpair *m = msg;
	struct ucred c;
	uint32_t len = sizeof(c);
	int r;

	m->inode = p->st.st_ino;
	m->type = (int32_t)option(p->fd, SO_TYPE);
	p->key = arena_printf(&d->arena, "socket:[%" PRIu64 "]", m->inode);
	r = dump_peer(d, p, m);
	if (r)
		return r;
	if (m->has_pair && !sys(SYS_getsockopt, p->fd, SOL_SOCKET, SO_PEERCRED, &c, &len) &&
	    c.pid) {
		m->has_peer_pid = m->has_peer_uid = m->has_peer_gid = true;
		m->peer_pid = c.pid;
		m->peer_uid = c.uid;
		m->peer_gid = c.gid;
	}
	r = dump_queue(d, p, m);
	return r ? r : socket_options_dump(d, p, &m->n_option, &m->option);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static uint64_t group(const void *msg)
{
	const Socketpair *m = msg;

	return m->has_pair ? m->pair : m->inode;
}

/* Whether the owner of its table would be remembered as the maker all the same. */
static bool made_by_owner(struct restore *r, const struct fd_obj *o)
{
	const Socketpair *m = o->msg;
	const struct task *t = files_owner(r, o);

	return !m->has_peer_pid || (t && t->pid == m->peer_pid && !m->peer_uid && !m->peer_gid);
}

static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	const Socketpair *a = member[0]->msg, *b = n > 1 ? member[1]->msg : NULL;

	if (n > 2 ||
	    (n == 2 && (a->peer != b->inode || b->peer != a->inode || a->type != b->type)) ||
	    (n == 1 && a->has_peer))
		return fail(-EPROTO, "image 'socketpair': socket %" PRIu64 " is no pair", a->inode);
	for (size_t i = 0; i < n; i++) {
		member[i]->twin = n > 1 ? member[!i] : NULL;
		member[i]->shared |= !made_by_owner(r, member[i]);
	}
	return 0;
}

/* --- open ----------------------------------------------------------------------------------------
 */

struct making {
	int type, fd[2];
};

static int make_pair(void *arg)
{
	struct making *m = arg;

	return (int)sys(SYS_socketpair, AF_UNIX, m->type | SOCK_CLOEXEC, 0, m->fd);
}

/* The stand-in shares our descriptors but not our memory. */
static int make_elsewhere(const Socketpair *m, struct making *result)
{
	struct mapping map = { NULL, 4096 };
	struct stand_in s = {
		.pid = m->peer_pid, .uid = m->peer_uid, .gid = m->peer_gid, .inside = make_pair
	};
	long p = sys(SYS_mmap, NULL, map.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	int r;

	if (p < 0)
		return fail(p, "map a page");
	map.p = s.arg = (void *)p;
	*(struct making *)s.arg = *result;
	if (!sys(SYS_kill, m->peer_pid, 0)) {
		log_warn("process %d exists: the credentials of a socket pair will name another",
			 m->peer_pid);
		s.pid = 0;
	}
	r = stand_in_run(&s);
	*result = *(struct making *)s.arg;
	mapping_unmap(&map);
	return r;
}

static int send_queue(int fd, const Socketpair *m)
{
	for (size_t i = 0; i < m->n_queue; i++) {
		const ProtobufCBinaryData *b = &m->queue[i]->bytes;
		size_t done = 0;

		do {
			size_t len = b->len - done;
			long n;

			if (m->type == SOCK_STREAM && len > CHUNK_BYTES)
				len = CHUNK_BYTES;
			n = sys(SYS_sendto, fd, b->data + done, len, MSG_DONTWAIT | MSG_NOSIGNAL,
				NULL, 0);
			if (n < 0)
				return fail(n, "fill the queue of a socket");
			done += (size_t)n;
		} while (done < b->len);
	}
	return 0;
}

/* What `m` has not read, from the other end, with room for all of it. */
static int fill_queue(int from, const Socketpair *m)
{
	uint32_t len = sizeof(int);
	int before, room = 64 << 20, r;

	if (!m->n_queue)
		return 0;
	r = (int)sys(SYS_getsockopt, from, SOL_SOCKET, SO_SNDBUF, &before, &len);
	if (!r)
		r = (int)sys(SYS_setsockopt, from, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (r)
		return fail(r, "make room in the queue of a socket");
	before /= 2;
	r = send_queue(from, m);
	(void)sys(SYS_setsockopt, from, SOL_SOCKET, SO_SNDBUFFORCE, &before,
		  sizeof(before)); /* set exactly later */
	return r;
}

static int shut(int fd, const Socketpair *m)
{
	long r = m->shutdown & SHUT_RECEIVE ? sys(SYS_shutdown, fd, SHUT_RD) : 0;

	if (!r && m->shutdown & SHUT_SEND)
		r = sys(SYS_shutdown, fd, SHUT_WR);
	return r ? fail(r, "shut a socket down") : 0;
}

static int complete(int fd, const struct fd_obj *obj)
{
	const Socketpair *m = obj->msg;
	int r = socket_options_restore(fd, m->n_option, m->option);

	if (!r)
		r = sys_fcntl(fd, F_SETFL, (long)(obj->ofd->flags & O_NONBLOCK));
	return r ? r : shut(fd, m);
}

static int make_single(const struct fd_obj *obj)
{
	const Socketpair *m = obj->msg;
	_close_ int fd = (int)sys(SYS_socket, AF_UNIX, m->type | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? fail(fd, "make a socket") : complete(fd, obj);

	return r ? r : take_fd(&fd);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Socketpair *m = obj->msg;
	struct making made = { m->type, { -1, -1 } };
	_close_ int own = -1, other = -1;
	int r;

	if (!m->has_pair)
		return make_single(obj);
	r = o->task || !m->has_peer_pid ? make_pair(&made) : make_elsewhere(m, &made);
	own = made.fd[0];
	other = made.fd[1];
	if (r)
		return fail(r, "make a pair of sockets");
	r = fill_queue(other, m);
	if (!r && obj->twin)
		r = fill_queue(own, obj->twin->msg);
	if (!r && !obj->twin)
		fd_close(&other);
	if (!r)
		r = complete(own, obj);
	if (!r && obj->twin)
		r = complete(other, obj->twin);
	if (r)
		return r;
	if (obj->twin)
		obj->twin->fd = take_fd(&other);
	return take_fd(&own);
}

const struct fd_kind kind_socketpair = { .name = "socketpair",
					 .descriptor = &socketpair__descriptor,
					 .dump_last = true,
					 .match = match,
					 .dump = dump,
					 .group = group,
					 .plan_group = plan_group,
					 .open = open_fd };
