/*
 * Filling queues: every message is sent again by who sent it, so that its name, its boundaries and
 * what is charged to whom come out right. Credentials are stated explicitly, which needs a process
 * with that pid: a stand-in where there is none. Where a sender of datagrams is not known, because
 * it has no name or is gone, a connected socket that still has something unread takes its place, or
 * one that exists for the moment.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/build/stand-in.h"
#include "kernel/descriptor.h"
#include "sock/unix.h"

enum { CHUNK_BYTES = 32 << 10, ROOM_BYTES = 64 << 20, MOST_FILES = 253,
       SMALL_BYTES = 768 /* what is charged for a message of few bytes */ };

struct sending {
	struct unix_end *to;
	const UnixMessage *message;
	int fd;
	bool by_name; /* datagrams: not over its connection */
	struct sockaddr_un name;
	uint32_t name_len;
};

static int add_files(struct unix_world *w, const UnixMessage *s, struct cmsghdr *c, size_t *ret_len)
{
	int fd[MOST_FILES];

	for (size_t i = 0; i < s->n_file; i++)
		fd[i] = files_find(w->r, s->file[i])->fd;
	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS,
			       .cmsg_len = CMSG_LEN(s->n_file * sizeof(int)) };
	memcpy(CMSG_DATA(c), fd, s->n_file * sizeof(int));
	*ret_len += CMSG_SPACE(s->n_file * sizeof(int));
	return 0;
}

static void add_cred(const UnixMessage *s, struct cmsghdr *c, size_t *ret_len)
{
	const struct ucred cred = { s->cred->pid, s->cred->uid, s->cred->gid };

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_CREDENTIALS,
			       .cmsg_len = CMSG_LEN(sizeof(cred)) };
	memcpy(CMSG_DATA(c), &cred, sizeof(cred));
	*ret_len += CMSG_SPACE(sizeof(cred));
}

/* One call; what it carried besides bytes went with the first of them. */
static long send_part(const struct sending *s, size_t from, size_t len, int flags)
{
	char control[CMSG_SPACE(MOST_FILES * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))]
		__attribute__((aligned(8))) = { 0 };
	const UnixMessage *m = s->message;
	struct iovec iov = { m->bytes.data + from, len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	size_t used = 0;

	if (s->by_name) {
		h.msg_name = (void *)&s->name;
		h.msg_namelen = s->name_len;
	}
	if (m->cred)
		add_cred(m, (struct cmsghdr *)(void *)control, &used);
	if (m->n_file && !from)
		(void)add_files(s->to->world, m, (struct cmsghdr *)(void *)(control + used), &used);
	h.msg_controllen = used;
	return sys(SYS_sendmsg, s->fd, &h, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int send_message(void *arg)
{
	const struct sending *s = arg;
	const UnixMessage *m = s->message;
	bool urgent = m->urgent && m->bytes.len;
	size_t done = 0;

	do {
		size_t len = m->bytes.len - done;
		long n;

		if (s->to->type == SOCK_STREAM && len > CHUNK_BYTES)
			len = CHUNK_BYTES;
		if (urgent)
			len = 1;
		n = send_part(s, done, len, urgent ? MSG_OOB : 0);
		if (n < 0)
			return (int)n;
		urgent = false;
		done += (size_t)n;
	} while (done < m->bytes.len);
	return 0;
}

/* --- who sends it --------------------------------------------------------------------------------
 */

static int make_room(int fd)
{
	int room = ROOM_BYTES, r;

	r = (int)sys(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return r ? fail(r, "make room in the queue of a socket") : 0;
}

static bool is_named(const struct unix_end *e, const UnixMessage *m)
{
	if (!m->has_sender)
		return !e->name;
	return e->name && unix_same_bytes(&e->name->name, &m->sender);
}

/* Somebody without a name who is connected to it and has something unread. */
static struct unix_end *find_unnamed(const struct unix_end *to)
{
	vec_foreach(e, &to->world->end)
		if ((*e)->peer == to && !(*e)->name && (*e)->left > 0)
			return *e;
	return NULL;
}

/* A descriptor to send from; one that was made for it is in *ret_made too. */
static int find_sender(struct sending *s, int *ret_made)
{
	struct unix_end *to = s->to, *e = to->peer;
	const UnixMessage *m = s->message;
	const struct unix_address *a;

	s->by_name = to->type == SOCK_DGRAM && to->name;
	if (to->type != SOCK_DGRAM || (e && is_named(e, m))) {
		s->by_name = s->by_name && !(e->joined && e->peer == to);
		return unix_fd(e);
	}
	if (!s->by_name)
		return e ? unix_fd(e) : fail(-EPROTO, "a socket without a name has no sender");
	a = m->has_sender ? unix_address_find(to->world, to->type, &m->sender) : NULL;
	e = a ? a->owner : m->has_sender ? NULL : find_unnamed(to);
	if (e) {
		e->left -= SMALL_BYTES + (int64_t)(m->bytes.len > 192 ? m->bytes.len : 0);
		return unix_fd(e);
	}
	if (a)
		return a->socket;
	*ret_made = unix_socket(to->type);
	return *ret_made;
}

static int explain(int r)
{
	return r == -EAGAIN ? fail(r, "fill the queue of a socket: more datagrams wait than "
				      "net.unix.max_dgram_qlen allows")
			    : fail(r, "fill the queue of a socket");
}

/* `from`: -1, or who sends it. */
static int send_one(struct sending *s, int from)
{
	const UnixCred *c = s->message->cred;
	const struct stand_in as = { .pid = c ? c->pid : 0,
				     .uid = (uid_t)-1,
				     .gid = (gid_t)-1,
				     .inside = send_message,
				     .arg = s };
	_close_ int made = -1;
	int r;

	s->fd = from >= 0 ? from : find_sender(s, &made);
	r = s->fd < 0 ? s->fd : make_room(s->fd);
	if (r)
		return r;
	if (s->by_name)
		unix_sockaddr(s->to->name, &s->name, &s->name_len);
	r = c && sys(SYS_kill, c->pid, 0) == -ESRCH ? stand_in_run(&as) : send_message(s);
	return r ? explain(r) : 0;
}

int unix_queue_fill(struct unix_end *e)
{
	struct sending s = { .to = e };
	int r = 0;

	for (size_t i = 0; i < e->m->n_queue && !r; i++) {
		s.message = e->m->queue[i];
		r = send_one(&s, -1);
	}
	for (size_t i = 0; i < e->m->n_pending && !r; i++)
		for (size_t j = 0; j < e->m->pending[i]->n_queue && !r; j++) {
			s.message = e->m->pending[i]->queue[j];
			r = send_one(&s, unix_fd(e->client[i]));
		}
	return r;
}
