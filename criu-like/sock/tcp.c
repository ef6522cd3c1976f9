/*
 * TCP sockets in every state: unbound, bound, listening, connecting, connected, half closed,
 * closed. Listeners may speak MPTCP (what Go opens): connections that came in over plain TCP are
 * plain TCP sockets.
 *
 * A connection is read and made again by TCP_REPAIR (tcp-repair.c) under the network lock
 * (core/net-lock.h), and stays in repair mode until the tree is about to run and the network is
 * open: a restore that fails sends nothing. A connection with one end outside of the tree needs the
 * operator's promise that the other end waits (--tcp-established) or need not (--tcp-close);
 * connections within the tree need none.
 *
 * No interface puts a connection into the queue of a listener. Those that nobody accepted are made
 * anew if the tree has the end that connected (tcp-waiting.c). Others are refused, or dropped on
 * demand (--skip-in-flight). Which SYNs a listener has answered is lost: the peers send them again.
 */
#include "tcp.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/net-lock.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "sock/inet.h"
#include "sock/socket-options.h"
#include "sock/tcp-queue.h"
#include "sock/tcp-repair.h"
#include "sock/tcp-waiting.h"

enum {
	MPTCP_PROTOCOL = 262,
	STATE_SYN_SENT = 2,
	STATE_SYN_RECV,
	STATE_CLOSED = 7,
	STATE_LISTEN = 10,
	STATE_CLOSING
};
enum { SHUT_RECEIVE = 1, SHUT_ALL = 2 };

extern const struct fd_kind kind_tcp;

static bool match(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;

	(void)d;
	return socket_type_of(p, &t) && (t.domain == AF_INET || t.domain == AF_INET6) &&
	       t.type == SOCK_STREAM && (t.protocol == IPPROTO_TCP || t.protocol == MPTCP_PROTOCOL);
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int ask(const struct fd_probe *p, struct tcp_info *ret)
{
	uint32_t len = sizeof(*ret);
	long r = sys(SYS_getsockopt, p->fd, IPPROTO_TCP, TCP_INFO, ret, &len);

	return r ? fail(r, "descriptor %d: ask for the state of its socket", p->number) : 0;
}

/* getpeername(2) tells it only while there is a connection. */
static int peer_of(struct dump *d, const struct fd_probe *p, InetName **ret)
{
	union inet_address name = { 0 };
	bool v6 = socket_int(p->fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
	uint32_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	long r = sys(SYS_getsockopt, p->fd, SOL_SOCKET, SO_PEERNAME, &name, &len);

	if (r && r != -ENOTCONN)
		return fail(r, "descriptor %d: ask for the other end of its connection", p->number);
	*ret = r ? NULL : inet_name(&d->arena, &name);
	return 0;
}

static bool has_packets(uint32_t state)
{
	return state != STATE_CLOSED && state != STATE_LISTEN;
}

/* What needs the promise of the operator, or cannot be. `moving`: nothing is stopped yet. */
static int refuse_connection(struct dump *d, struct fd_probe *p, uint32_t state, bool moving)
{
	struct nft_pair pair;
	InetName *peer = NULL;
	uint32_t bytes;
	int r;

	if (!has_packets(state) || d->opt->tcp_close)
		return 0;
	if (socket_int(p->fd, SOL_SOCKET, SO_PROTOCOL) == MPTCP_PROTOCOL)
		return fd_refuse(d, p, "it is a connection by multipath TCP",
				 "run the program without (GODEBUG=multipathtcp=0), or close the "
				 "connection with --tcp-close");
	if (state == STATE_SYN_RECV)
		return fd_refuse(d, p, "its connection is half open (TCP fast open)",
				 "wait until it is complete");
	if (d->opt->tcp_established)
		return 0;
	if (!connection_pair(p->fd, &pair) &&
	    (net_lock_inside(d, &pair) || net_lock_waits(d, &pair, &bytes) ||
	     (moving && !net_lock_outside(d, &pair))))
		return 0;
	r = peer_of(d, p, &peer);
	if (r)
		return r;
	return fd_refuse_now(d, p,
			     arena_printf(&d->arena, "it is connected with %s outside of the tree",
					  peer ? inet_text(&d->arena, peer) : "somebody"),
			     "--tcp-established keeps the connection (it waits for the restore), "
			     "--tcp-close gives it up");
}

static int look(struct dump *d, struct fd_probe *p)
{
	struct tcp_info info = { 0 };
	int r = ask(p, &info);

	return r ? r : refuse_connection(d, p, info.tcpi_state, true);
}

static int dump_listener(struct dump *d, struct fd_probe *p, const struct tcp_info *info, Tcp *m)
{
	m->has_backlog = true;
	m->backlog = info->tcpi_sacked; /* of a listener: the longest queue, and the one it has */
	m->has_waiting = true;
	m->waiting = info->tcpi_unacked;
	if (!info->tcpi_unacked || d->opt->skip_in_flight)
		return 0;
	if (net_lock_waiting(d, htons((uint16_t)m->inet->local->port)) == info->tcpi_unacked)
		return d->opt->leave_running || d->opt->leave_stopped ? 0
								      : fd_keep(d, p, &kind_tcp, m);
	return fd_refuse_now(
		d, p,
		arena_printf(&d->arena, "%u connections wait to be accepted, not all from the tree",
			     info->tcpi_unacked),
		"accept them before the dump; --skip-in-flight drops them");
}

/* Reading was shut down by the program, if not by the end of the stream or of all. */
static uint32_t shutdown_of(const struct fd_probe *p, uint32_t state, bool connected)
{
	struct pollfd look_at = { p->fd, POLLRDHUP, 0 };
	bool ended = state >= STATE_CLOSED && state != STATE_LISTEN;

	(void)sys(SYS_poll, &look_at, 1, 0); /* zero: not shut */
	if (!(look_at.revents & POLLRDHUP))
		return 0;
	if (state == STATE_CLOSED && !connected)
		return SHUT_ALL;
	return ended ? 0 : SHUT_RECEIVE;
}

static bool has_error(const struct fd_probe *p)
{
	struct pollfd look_at = { p->fd, 0, 0 };

	(void)sys(SYS_poll, &look_at, 1, 0); /* zero: none */
	return look_at.revents & POLLERR;
}

/* What is left of a connection that is given up. */
static void forget(Tcp *m)
{
	m->state = STATE_CLOSED;
	m->shutdown = SHUT_ALL;
	m->connection = NULL;
	m->inet->local = m->inet->peer = NULL;
}

static int dump_connection(struct dump *d, struct fd_probe *p, Tcp *m)
{
	int r = refuse_connection(d, p, m->state, false);
	struct nft_pair pair;

	if (r)
		return r;
	if (d->opt->tcp_close && has_packets(m->state)) {
		forget(m);
		return 0;
	}
	if (has_packets(m->state)) {
		r = connection_pair(p->fd, &pair);
		if (r)
			return fail(r, "descriptor %d: ask for both ends of its connection",
				    p->number);
		if (!net_lock_covers(d, &pair))
			return fd_refuse(d, p, "this connection is in the queue of a socket only",
					 "receive its descriptor before the dump");
		r = tcp_waiting_dump(d, p, &pair, m);
		if (r < 0)
			return r;
	}
	r = tcp_repair_dump(d, p, m);
	if (!r)
		m->connection->error = m->connection->has_error = has_error(p);
	return r;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct tcp_info info = { 0 };
	Tcp *m = msg;
	int r = ask(p, &info);

	m->inet = arena_new(&d->arena, Inet);
	inet__init(m->inet);
	m->state = info.tcpi_state;
	if (!r)
		r = inet_dump(d, p, m->inet);
	if (r)
		return r;
	m->inet->peer = NULL;
	if (m->state != STATE_LISTEN)
		r = peer_of(d, p, &m->inet->peer);
	if (!r && has_packets(m->state) && !m->inet->peer)
		r = fail(-EPROTO, "descriptor %d: its connection has no other end", p->number);
	if (r)
		return r;
	m->shutdown = shutdown_of(p, m->state, m->inet->peer);
	if (m->state == STATE_LISTEN)
		return dump_listener(d, p, &info, m);
	return m->inet->peer ? dump_connection(d, p, m) : 0;
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static bool put_end(const InetName *n, uint8_t addr[16], uint16_t *ret_port)
{
	bool mapped = n->family == AF_INET6 &&
		      IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)n->address.data);

	*ret_port = htons((uint16_t)n->port);
	if (mapped)
		memcpy(addr, n->address.data + 12, 4);
	else
		memcpy(addr, n->address.data, n->address.len);
	return n->family == AF_INET6 && !mapped;
}

static void want_lock(struct restore *r, const Inet *m)
{
	struct nft_pair p = { 0 };

	p.v6 = put_end(m->local, p.local, &p.local_port);
	if (put_end(m->peer, p.remote, &p.remote_port) == p.v6)
		net_lock_want(r, &p);
}

static int check(const struct fd_obj *o, const Tcp *m)
{
	const Inet *i = m->inet;
	bool ok = i->type == SOCK_STREAM && m->state && m->state <= STATE_CLOSING &&
		  (i->protocol == IPPROTO_TCP ||
		   (i->protocol == MPTCP_PROTOCOL && !has_packets(m->state)));

	if (!ok || (m->state == STATE_LISTEN) != m->has_backlog ||
	    (m->has_waits_since_ms && (!tcp_waiting_state(m->state) || !i->peer)) ||
	    (has_packets(m->state) && !m->connection))
		return fail(-EPROTO, "image 'tcp': description %" PRIu32 " is in no possible state",
			    o->id);
	return m->connection ? tcp_repair_check(o, m) : 0;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	Tcp *m = (Tcp *)o->msg;
	int e = check(o, m);

	if (e)
		return e;
	if (r->opt && r->opt->tcp_close && has_packets(m->state))
		forget(m);
	if (m->connection && m->connection->has_content) {
		e = tcp_queue_check(r, m->connection);
		if (e)
			return e;
		o->shared = true; /* the coordinator has the page stores open */
	}
	e = inet_plan(r, o, m->inet);
	if (!e && m->has_waits_since_ms)
		return tcp_waiting_plan(r, o);
	if (!e && has_packets(m->state))
		want_lock(r, m->inet);
	return e;
}

static uint64_t group(const void *msg)
{
	const Tcp *m = msg;

	/* With its listener. */
	if (m->has_waits_since_ms && m->inet->peer)
		return (uint64_t)m->inet->protocol << 32 | m->inet->peer->port;
	return inet_port_key(m->inet);
}

/*
 * Sockets of one port. A connection leaves repair mode for a moment while its unsent bytes are
 * written, and then others could not be bound: it is made before the fork.
 */
static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	Inet **bound = arena_array(&r->arena, Inet *, n);
	size_t k = 0;
	int e = tcp_waiting_order(r, member, n);

	for (size_t i = 0; i < n && !e; i++) {
		const Tcp *m = member[i]->msg;

		if (!m->connection)
			bound[k++] = m->inet;
		else if (n > 1)
			member[i]->shared |= m->connection->unsent || m->state == STATE_SYN_SENT;
	}
	inet_plan_port(bound, k);
	return e;
}

/* --- open ----------------------------------------------------------------------------------------
 */

/* With the bytes of its queues at hand. */
static int fill_connection(struct opener *o, int fd, const Tcp *m)
{
	TcpConnection c = *m->connection;
	struct tcp_queue q = { 0 };
	union inet_address local, peer;
	Tcp filled = *m;
	int r = tcp_queue_load(o->r, &c, &q);

	c.send = (ProtobufCBinaryData){ q.send_len, q.send };
	c.receive = (ProtobufCBinaryData){ q.receive_len, q.receive };
	filled.connection = &c;
	(void)inet_address(m->inet->local, &local);
	(void)inet_address(m->inet->peer, &peer);
	if (!r)
		r = tcp_repair_restore(fd, &filled, &local.any, &peer.any);
	tcp_queue_done(&q);
	return r;
}

static int make_connection(struct opener *o, int fd, const struct fd_obj *obj)
{
	const Tcp *m = obj->msg;
	/* What the ends agree upon depends on it. */
	int r = m->has_waits_since_ms ? 0 : socket_buffers_enlarge(fd);

	if (r)
		return r;
	r = tcp_repair_begin(fd);
	if (r)
		return fail(r, "begin to make a connection");
	r = inet_bind(fd, m->inet);
	if (r)
		return r;
	return m->has_waits_since_ms ? tcp_waiting_connect(fd, obj) : fill_connection(o, fd, m);
}

static int make_socket(struct opener *o, int fd, const struct fd_obj *obj)
{
	const Tcp *m = obj->msg;
	int r = m->connection ? make_connection(o, fd, obj) : inet_bind(fd, m->inet);

	if (!r && m->state == STATE_LISTEN) {
		r = (int)sys(SYS_listen, fd, m->backlog);
		if (r)
			return fail(r, "listen");
	}
	return r;
}

static void shut(int fd, const Tcp *m)
{
	if (m->shutdown) /* of a closed socket it works and says ENOTCONN */
		(void)sys(SYS_shutdown, fd, m->shutdown & SHUT_ALL ? SHUT_RDWR : SHUT_RD);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Tcp *m = obj->msg;
	_close_ int fd = inet_make(m->inet);
	int r = fd < 0 ? fd : make_socket(o, fd, obj);

	if (!r)
		r = inet_complete(fd, m->inet, obj->ofd);
	if (r)
		return r;
	shut(fd, m);
	return take_fd(&fd);
}

/* Connections keep the port shared by force until the last moment. */
static int stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number)
{
	const Tcp *m = obj->msg;

	if (!m->connection)
		inet_stage(p, at, m->inet, number);
	return 0;
}

/* It is too late for failures: what does not work is tried twice, and told. */
static void put_back(int fd, const Inet *m, int name)
{
	int value = socket_option_int(m->n_option, m->option, (const int[]){ SOL_SOCKET, name }, 0);

	if (socket_set_int(fd, SOL_SOCKET, name, value) &&
	    socket_set_int(fd, SOL_SOCKET, name, value))
		log_warn("socket option %d of a connection is lost", name);
}

static void last(const struct fd_obj *obj, int fd)
{
	const Tcp *m = obj->msg;

	bool repaired = m->state != STATE_SYN_SENT && !m->has_waits_since_ms;

	if (!m->connection)
		return;
	if (repaired && tcp_repair_end(fd, true) && tcp_repair_end(fd, true))
		log_warn("a connection cannot leave its repair mode");
	put_back(fd, m->inet, SO_REUSEADDR);
	put_back(fd, m->inet, SO_REUSEPORT);
}

const struct fd_kind kind_tcp = { .name = "tcp",
				  .descriptor = &tcp__descriptor,
				  .match = match,
				  .look = look,
				  .dump = dump,
				  .after = tcp_waiting_after,
				  .plan = plan,
				  .group = group,
				  .plan_group = plan_group,
				  .open = open_fd,
				  .stage = stage,
				  .last = last };
