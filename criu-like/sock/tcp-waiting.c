/*
 * Connections of the tree whose other end waits to be accepted from a listener of the tree. No
 * interface puts an end into the queue of a listener, but a connection that is made anew gets
 * there: the client connects again from the same port, in the same order, through packets that the
 * network lock lets pass, and sends again what it had sent.
 *
 * What the waiting end has received can only be read by accepting it, which takes it away from the
 * program. So it is read once the tree is dead, through a copy of the listener, and lies beside the
 * images (tcp_queues.late). A tree that goes on keeps it: then only those that have sent nothing
 * can be saved, and their order is that of the milliseconds at which they connected.
 */
#include "sock/tcp-waiting.h"

#include <arpa/inet.h>
#include <asm/ioctls.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/time.h"
#include "core/net-lock.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "sock/inet.h"
#include "sock/socket-options.h"
#include "sock/tcp-repair.h"

enum { ESTABLISHED = 1, FIN_WAIT1 = 4, FIN_WAIT2 = 5, STATE_LISTEN = 10 };
enum { BYTES_MAX = 1 << 20, ROOM_BYTES = 16 << 20, PATIENCE_NS = 1000000000, STEP_NS = 1000000 };
static const char late_stem[] = "tcp_queues";

struct late { /* what the object of a client keeps during the restore */
	const TcpQueue *queue;
	size_t place; /* among all */
};

/* --- dump ----------------------------------------------------------------------------------------
 */

bool tcp_waiting_state(uint32_t state)
{
	return state == ESTABLISHED || state == FIN_WAIT1 || state == FIN_WAIT2;
}

static int ask(struct fd_probe *p, struct tcp_info *ret, int *ret_unread, int *ret_unsent)
{
	uint32_t len = sizeof(*ret);
	long r = sys(SYS_getsockopt, p->fd, IPPROTO_TCP, TCP_INFO, ret, &len);

	if (!r)
		r = sys_ioctl(p->fd, SIOCINQ, ret_unread);
	if (!r)
		r = sys_ioctl(p->fd, SIOCOUTQ, ret_unsent);
	return r ? fail(r, "descriptor %d: look at a connection", p->number) : 0;
}

int tcp_waiting_dump(struct dump *d, struct fd_probe *p, const struct nft_pair *pair, Tcp *m)
{
	bool goes_on = d->opt->leave_running || d->opt->leave_stopped;
	struct tcp_info info = { 0 };
	uint32_t bytes = 0;
	int unread = 0, unsent = 0, r;

	if (!net_lock_waits(d, pair, &bytes))
		return 0;
	r = ask(p, &info, &unread, &unsent);
	if (r)
		return r;
	if (unread || !tcp_waiting_state(m->state) || bytes > BYTES_MAX || unsent > BYTES_MAX)
		return fd_refuse_now(d, p,
				     "nobody has accepted the connection, and it is not simple",
				     "accept it before the dump");
	m->waits_with_bytes = m->has_waits_with_bytes = bytes || unsent || m->state != ESTABLISHED;
	if (m->waits_with_bytes && goes_on)
		return fd_refuse_now(d, p,
				 "it has sent bytes, or the end of its stream, which nobody has "
				 "accepted: they can be read when the tree is dead",
				 "accept the connection before the dump, or dump without -R");
	m->has_waits_since_ms = true;
	m->waits_since_ms = time_now_ns() / 1000000 - info.tcpi_last_ack_recv;
	return 1;
}

/* In repair mode: looking only, and nothing is sent when it is closed. */
static int read_queue(struct dump *d, int fd, TcpQueue *q)
{
	uint32_t seq_len = sizeof(q->receive_seq);
	int unread = 0;
	long r = tcp_repair_begin(fd);

	if (!r)
		r = socket_set_int(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
	if (!r)
		r = sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &q->receive_seq, &seq_len);
	if (!r)
		r = sys_ioctl(fd, SIOCINQ, &unread);
	if (r)
		return (int)r;
	q->bytes.data = arena_alloc(&d->arena, (size_t)unread + 1);
	r = unread ? sys(SYS_recvfrom, fd, q->bytes.data, unread, MSG_PEEK | MSG_DONTWAIT, 0, 0)
		   : 0;
	q->bytes.len = r < 0 ? 0 : (size_t)r;
	return r < 0 ? (int)r : 0;
}

static int read_queues(struct dump *d, int listener, uint32_t n, TcpQueues *m)
{
	int r = sys_fcntl(listener, F_SETFL, O_NONBLOCK);

	for (uint32_t i = 0; i < n && r >= 0; i++) {
		union inet_address name = { 0 };
		uint32_t len = sizeof(name);
		_close_ int fd = (int)sys(SYS_accept4, listener, &name, &len, SOCK_CLOEXEC);
		TcpQueue *q = arena_new(&d->arena, TcpQueue);

		tcp_queue__init(q);
		q->client = inet_name(&d->arena, &name);
		r = fd < 0 ? fd : q->client ? read_queue(d, fd, q) : -EPROTO;
		if (!r)
			m->queue[m->n_queue++] = q;
	}
	return r < 0 ? fail(r, "read connections that nobody has accepted") : 0;
}

int tcp_waiting_after(struct dump *d, const struct fd_kept *kept, size_t n)
{
	TcpQueues m = TCP_QUEUES__INIT;
	uint32_t all = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		all += ((const Tcp *)kept[i].msg)->waiting;
	m.checkpoint_id = (ProtobufCBinaryData){ sizeof(d->checkpoint_id), d->checkpoint_id };
	m.queue = arena_array(&d->arena, TcpQueue *, all);
	for (size_t i = 0; i < n && !r; i++)
		r = read_queues(d, kept[i].fd, ((const Tcp *)kept[i].msg)->waiting, &m);
	return r ?: image_late_write(&d->arena, d->opt->images_fd, late_stem, &m.base,
				     !d->opt->no_sync);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

/* An IPv4 name of an IPv6 socket is one of IPv4. */
static bool same_end(const InetName *a, const InetName *b)
{
	size_t n = a->address.len < b->address.len ? a->address.len : b->address.len;

	return a->port == b->port && n &&
	       !memcmp(a->address.data + a->address.len - n, b->address.data + b->address.len - n,
		       n);
}

static int find_queue(struct restore *r, const Tcp *m, struct late *ret)
{
	const TcpQueues *all;
	ProtobufCMessage *any;
	int e = image_late_read(&r->arena, r->opt->images_fd, late_stem, &tcp_queues__descriptor,
				&any);

	if (e)
		return e == -ENOENT ? 0 : e;
	all = (const TcpQueues *)any;
	if (all->checkpoint_id.len != sizeof(r->checkpoint_id) ||
	    memcmp(all->checkpoint_id.data, r->checkpoint_id, sizeof(r->checkpoint_id)))
		return 0;
	for (size_t i = 0; i < all->n_queue; i++)
		if (inet_name_ok(all->queue[i]->client) &&
		    same_end(all->queue[i]->client, m->inet->local))
			*ret = (struct late){ all->queue[i], i };
	return 0;
}

/* Bytes of the send queue that the other end had not received. */
static uint32_t unreceived(const Tcp *m, const TcpQueue *q)
{
	uint32_t fin = m->state != ESTABLISHED;
	int32_t n = (int32_t)(m->connection->send_seq - fin - q->receive_seq);

	return n < 0 ? 0 : (uint32_t)n; /* -1: all, and the end */
}

int tcp_waiting_plan(struct restore *r, struct fd_obj *o)
{
	struct late *l = arena_new(&r->arena, struct late);
	const Tcp *m = o->msg;
	int e = r->opt ? find_queue(r, m, l) : 0;

	o->own = l;
	if (e)
		return e;
	if (!l->queue && m->waits_with_bytes)
		return refuse(&r->blockers, 0,
			      arena_printf(&r->arena, "tcp socket %s",
					   inet_text(&r->arena, m->inet->local)),
			      "what it has sent is not in this checkpoint (tcp_queues.late)",
			      "copy all files of the directory after the dump has ended");
	if (l->queue && unreceived(m, l->queue) > m->connection->send.len)
		return fail(-EPROTO, "image 'tcp': description %" PRIu32 " misses bytes", o->id);
	return 0;
}

static bool waits(const struct fd_obj *o)
{
	return ((const Tcp *)o->msg)->has_waits_since_ms;
}

static bool has_queue(const struct fd_obj *o)
{
	const Tcp *m = o->msg;

	return m->state == STATE_LISTEN && m->waiting;
}

static bool is_later(const struct fd_obj *a, const struct fd_obj *b)
{
	const Tcp *x = a->msg, *y = b->msg;
	const struct late *p = a->own, *q = b->own;

	if (p->queue && q->queue)
		return p->place > q->place;
	return x->waits_since_ms != y->waits_since_ms ? x->waits_since_ms > y->waits_since_ms
						      : a->id > b->id;
}

/* Those that connect again do so one after the other, when all that listens does. */
int tcp_waiting_order(struct restore *r, struct fd_obj **member, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct fd_obj *before = NULL, *o = member[i];
		bool listens = false;

		if (!waits(o))
			continue;
		for (size_t k = 0; k < n; k++) {
			if (waits(member[k]) && is_later(o, member[k]) &&
			    (!before || is_later(member[k], before)))
				before = member[k];
			if (!has_queue(member[k]))
				continue;
			listens = member[k]->shared = true;
			*vec_push(&r->arena, &o->needs) = member[k];
		}
		if (!listens)
			return fail(-EPROTO, "image 'tcp': nobody listens for description %" PRIu32,
				    o->id);
		if (before)
			*vec_push(&r->arena, &o->needs) = before;
		o->shared = true;
	}
	return 0;
}

/* --- restore -------------------------------------------------------------------------------------
 */

static int send_again(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		long n = sys(SYS_sendto, fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		if (n <= 0)
			return fail(n ? n : -EPROTO, "send again what nobody had accepted");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The other end acknowledges it in its time; where it cannot take all yet, later. */
static int end_stream(int fd, uint32_t want)
{
	uint64_t until = time_now_ns() + PATIENCE_NS;
	struct timespec step = { 0, STEP_NS };
	int r = (int)sys(SYS_shutdown, fd, SHUT_WR);

	if (r)
		return fail(r, "end the stream of a connection");
	while (want == FIN_WAIT2 && connection_state(fd) == FIN_WAIT1 && time_now_ns() < until)
		(void)sys(SYS_ppoll, NULL, 0, &step, 0, 0); /* only a pause */
	return 0;
}

int tcp_waiting_connect(int fd, const struct fd_obj *o)
{
	const struct late *l = o->own;
	const Tcp *m = o->msg;
	const TcpQueue *q = l->queue;
	size_t left = q ? unreceived(m, q) : 0;
	int r = tcp_repair_end(fd, false);

	if (r)
		return fail(r, "connect a restored socket");
	r = inet_connect(fd, m->inet);
	if (!r && q) {
		r = socket_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, ROOM_BYTES);
		if (r)
			return fail(r, "make room in the send buffer of a connection");
	}
	if (!r && q)
		r = send_again(fd, q->bytes.data, q->bytes.len);
	if (!r && q)
		r = send_again(fd, m->connection->send.data + m->connection->send.len - left,
			       left);
	return r || m->state == ESTABLISHED ? r : end_stream(fd, m->state);
}
