/*
 * A TCP connection as TCP_REPAIR shows and takes it: sequence numbers, what waits in both queues,
 * windows, and what the two ends agreed upon.
 *
 * Repair mode takes SO_REUSEADDR away, and packets go on arriving, so it is on for the few
 * microseconds of reading only, under the network lock; a guardian process turns it off again
 * should the tool die in between (core/net-guard.h). What of the send queue was never sent is
 * written without repair mode, for the kernel has to know that it was not. Ends of streams: ours by
 * shutdown(2), the peer's and its acknowledgements by segments (tcp-segment.c).
 *
 * Lost: what the congestion control had learnt (cwnd, round trip times), segments out of order (the
 * peer sends them again), ECN, SYN cookies.
 */
#include "sock/tcp-repair.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/net-guard.h"
#include "kernel/descriptor.h"
#include "kernel/inet-diag.h"
#include "sock/socket-options.h"
#include "sock/tcp-queue.h"
#include "sock/tcp-segment.h"

enum { REPAIR_OFF_NO_PROBE = -1, CHUNK_BYTES = 64 << 10, MSS_MAX = 32767, MSS_MIN = 88 };
enum { OPTION_TIMESTAMPS = 1, OPTION_SACK = 2, OPTION_WSCALE = 4 }; /* tcpi_options */
enum { KIND_MSS = 2, KIND_WSCALE = 3, KIND_SACK = 4, KIND_TIMESTAMP = 8 };
enum {
	ESTABLISHED = 1, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSED, CLOSE_WAIT,
	LAST_ACK, LISTEN, CLOSING
};

int tcp_repair_begin(int fd)
{
	return socket_set_int(fd, IPPROTO_TCP, TCP_REPAIR, 1);
}

int tcp_repair_end(int fd, bool probe)
{
	return socket_set_int(fd, IPPROTO_TCP, TCP_REPAIR, probe ? 0 : REPAIR_OFF_NO_PROBE);
}

static bool sent_fin(uint32_t state)
{
	return state == FIN_WAIT1 || state == FIN_WAIT2 || state == CLOSING || state == LAST_ACK;
}

static bool received_fin(uint32_t state)
{
	return state == CLOSE_WAIT || state == LAST_ACK || state == CLOSING;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int select_queue(int fd, int queue)
{
	return socket_set_int(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
}

static int read_seq(int fd, uint32_t *ret)
{
	long r = 0;
	uint32_t len = sizeof(*ret);

	r = sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_QUEUE_SEQ, ret, &len);
	return (int)r;
}

/* All of the selected queue; its length is known, one byte more would tell a mistake. */
static int peek(int fd, uint8_t *to, size_t len)
{
	long n = len ? sys(SYS_recvfrom, fd, to, len + 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) : 0;

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EPROTO;
}

struct queues { /* bytes */
	int receive, send, unsent;
};

static int measure(int fd, uint32_t state, struct queues *ret)
{
	struct queues q = { 0 };
	int r = sys_ioctl(fd, SIOCINQ, &q.receive);

	if (!r)
		r = sys_ioctl(fd, SIOCOUTQ, &q.send);
	if (!r)
		r = sys_ioctl(fd, SIOCOUTQNSD, &q.unsent);
	if (r)
		return r;
	if (state == CLOSED)
		q.send = q.unsent = 0; /* nobody would send it */
	/* The end of our stream counts as a byte. */
	q.unsent -= q.unsent && sent_fin(state);
	q.send -= q.send && sent_fin(state);
	*ret = q;
	return 0;
}

static int read_agreed(int fd, TcpConnection *c)
{
	struct tcp_info info = { 0 };
	uint32_t len = sizeof(info);
	long r = sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len), mss;
	int stamp = (int)socket_int(fd, IPPROTO_TCP, TCP_TIMESTAMP);

	mss = socket_int(fd, IPPROTO_TCP, TCP_MAXSEG);
	if (r || mss < 0)
		return r ? (int)r : (int)mss;
	c->has_mss = c->has_sack = true;
	c->mss = (uint32_t)mss;
	c->sack = info.tcpi_options & OPTION_SACK;
	c->has_snd_wscale = c->has_rcv_wscale = info.tcpi_options & OPTION_WSCALE;
	c->snd_wscale = info.tcpi_snd_wscale;
	c->rcv_wscale = info.tcpi_rcv_wscale;
	c->has_timestamp = info.tcpi_options & OPTION_TIMESTAMPS;
	c->timestamp = (uint32_t)stamp;
	return 0;
}

static int read_window(struct dump *d, int fd, TcpConnection *c)
{
	struct tcp_repair_window w = { 0 };
	uint32_t len = sizeof(w);
	long r = sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &w, &len);

	if (r)
		return (int)r;
	c->window = arena_new(&d->arena, TcpWindow);
	tcp_window__init(c->window);
	c->window->snd_wl1 = w.snd_wl1;
	c->window->snd_wnd = w.snd_wnd;
	c->window->max_window = w.max_window;
	c->window->rcv_wnd = w.rcv_wnd;
	c->window->rcv_wup = w.rcv_wup;
	return 0;
}

/* In repair mode. */
static int read_state(struct dump *d, int fd, const struct tcp_queue *q, Tcp *m)
{
	TcpConnection *c = m->connection;
	int r = m->state == SYN_SENT ? 0 : read_agreed(fd, c);

	if (!r && m->state != SYN_SENT)
		r = read_window(d, fd, c);
	if (!r)
		r = select_queue(fd, TCP_SEND_QUEUE);
	if (!r)
		r = read_seq(fd, &c->send_seq);
	if (!r)
		r = peek(fd, q->send, q->send_len);
	if (!r)
		r = select_queue(fd, TCP_RECV_QUEUE);
	if (!r)
		r = read_seq(fd, &c->receive_seq);
	return r ? r : peek(fd, q->receive, q->receive_len);
}

static int refuse_urgent(struct dump *d, struct fd_probe *p)
{
	struct pollfd look = { p->fd, POLLPRI, 0 };

	(void)sys(SYS_poll, &look, 1, 0); /* zero: nothing waits */
	if (look.revents & POLLPRI)
		return fd_refuse(d, p, "an urgent byte waits in its queue",
				 "receive it before the dump");
	return 0;
}

int tcp_repair_dump(struct dump *d, struct fd_probe *p, Tcp *m)
{
	const struct net_guarded guarded = {
		.pid = p->task->pid,
		.number = p->number,
		.repair = true,
		.reuse = (int)socket_int(p->fd, SOL_SOCKET, SO_REUSEADDR),
		.peek = (int)socket_int(p->fd, SOL_SOCKET, SO_PEEK_OFF),
	};
	struct queues q = { 0 };
	struct tcp_queue bytes = { 0 };
	int r = measure(p->fd, m->state, &q), e;

	if (!r && refuse_urgent(d, p))
		return -ENOTSUP;
	m->connection = arena_new(&d->arena, TcpConnection);
	tcp_connection__init(m->connection);
	m->connection->unsent = (uint32_t)q.unsent;
	if (r)
		return fail(r, "descriptor %d: measure its queues", p->number);
	r = tcp_queue_make(d, (size_t)q.send, (size_t)q.receive, m->connection, &bytes);
	if (!r)
		r = net_guard_set(d, &guarded);
	if (r)
		return r;
	if (guarded.peek >= 0)
		r = socket_set_int(p->fd, SOL_SOCKET, SO_PEEK_OFF, -1);
	if (!r)
		r = tcp_repair_begin(p->fd);
	if (!r)
		r = read_state(d, p->fd, &bytes, m);
	e = net_guard_mend(p->fd, &guarded);
	e = e ? net_guard_mend(p->fd, &guarded) : 0;
	net_guard_clear(d);
	tcp_queue_done(&bytes);
	if (r || e)
		return fail(r ? r : e, "descriptor %d: read the connection", p->number);
	return 0;
}

/* --- plan ----------------------------------------------------------------------------------------
 */

int tcp_repair_check(const struct fd_obj *o, const Tcp *m)
{
	const TcpConnection *c = m->connection;
	bool scaled = c && c->has_snd_wscale;

	if (c && m->inet->local && m->inet->peer && c->unsent <= tcp_queue_send_len(c) &&
	    c->has_snd_wscale == c->has_rcv_wscale &&
	    (!scaled || (c->snd_wscale < 15 && c->rcv_wscale < 15)) &&
	    (m->state == SYN_SENT || (c->window && c->has_mss && c->mss >= MSS_MIN)))
		return 0;
	return fail(-EPROTO, "image 'tcp': description %" PRIu32 " is no connection", o->id);
}

/* --- restore -------------------------------------------------------------------------------------
 */

static int set_seq(int fd, int queue, uint32_t seq)
{
	int r = select_queue(fd, queue);

	return r ? r
		 : (int)sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, sizeof(seq));
}

/* Where the streams stood when nothing of the queues was there. */
static int set_start(int fd, const Tcp *m)
{
	const TcpConnection *c = m->connection;
	uint32_t send = c->send_seq - (uint32_t)c->send.len - sent_fin(m->state);
	uint32_t receive = c->receive_seq - (uint32_t)c->receive.len - received_fin(m->state);
	int r = set_seq(fd, TCP_SEND_QUEUE, m->state == SYN_SENT ? send - 1 : send);

	if (!r && m->state != SYN_SENT)
		r = set_seq(fd, TCP_RECV_QUEUE, receive);
	return r ? fail(r, "set the sequence numbers of a connection") : 0;
}

static int set_agreed(int fd, const TcpConnection *c)
{
	struct tcp_repair_opt o[4] = { { KIND_MSS, c->mss } };
	size_t n = 1;
	long r;

	if (c->sack)
		o[n++].opt_code = KIND_SACK;
	if (c->has_snd_wscale)
		o[n++] = (struct tcp_repair_opt){ KIND_WSCALE,
						  c->snd_wscale | c->rcv_wscale << 16 };
	if (c->has_timestamp)
		o[n++].opt_code = KIND_TIMESTAMP;
	r = sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, o, n * sizeof(o[0]));
	if (!r && c->has_timestamp)
		r = socket_set_int(fd, IPPROTO_TCP, TCP_TIMESTAMP, (int)c->timestamp);
	return r ? fail(r, "set what the ends of a connection agreed upon") : 0;
}

/* The kernel takes what it finds memory for at once. */
static int send_bytes(int fd, const uint8_t *p, size_t len)
{
	size_t chunk = CHUNK_BYTES;

	while (len) {
		long n = sys(SYS_sendto, fd, p, len < chunk ? len : chunk,
			     MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		if (n == -ENOMEM && chunk > 1024) {
			chunk /= 2;
			continue;
		}
		if (n <= 0)
			return fail(n ? n : -EPROTO, "fill a queue of a connection");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int fill_queue(int fd, int queue, const uint8_t *p, size_t len)
{
	int r = len ? select_queue(fd, queue) : 0;

	return r ? fail(r, "choose a queue of a connection") : send_bytes(fd, p, len);
}

static int fill_queues(int fd, const TcpConnection *c)
{
	size_t sent = c->send.len - c->unsent;
	int r = fill_queue(fd, TCP_RECV_QUEUE, c->receive.data, c->receive.len);

	if (!r)
		r = fill_queue(fd, TCP_SEND_QUEUE, c->send.data, sent);
	if (r || !c->unsent)
		return r;
	r = tcp_repair_end(fd, false);
	if (!r)
		r = send_bytes(fd, c->send.data + sent, c->unsent);
	if (!r)
		r = tcp_repair_begin(fd);
	return r ? fail(r, "fill the send queue of a connection") : 0;
}

struct ends {
	const struct sockaddr *local, *peer;
};

/*
 * When the tree was killed after an earlier restore, the kernel may still try to end its
 * connections, or keep their addresses for a minute. Nobody has these; what they send is lost in
 * the network lock.
 */
static int connect_to(int fd, const struct ends *e)
{
	size_t len = e->peer->sa_family == AF_INET ? sizeof(struct sockaddr_in)
						   : sizeof(struct sockaddr_in6);
	long r = sys(SYS_connect, fd, e->peer, len);

	if (r == -EADDRNOTAVAIL && !inet_diag_end_orphan(e->local, e->peer))
		r = sys(SYS_connect, fd, e->peer, len);
	return r && r != -EINPROGRESS ? fail(r, "connect a restored socket") : 0;
}

/*
 * What a segment may hold is computed at connect, from the largest one the peer takes, which the
 * kernel is told only afterwards. A program's own limit is known before; it ends at 32767.
 */
static int connect_with_mss(int fd, const TcpConnection *c, const struct ends *e)
{
	int r = socket_set_int(fd, IPPROTO_TCP, TCP_MAXSEG,
			       c->mss < MSS_MAX ? (int)c->mss : MSS_MAX);

	if (r)
		return fail(r, "set the segment size of a connection");
	r = connect_to(fd, e);
	if (!r)
		r = socket_set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 0);
	return r;
}

/* IPv4 computes it again when options of its header are set: those that are there. */
static int compute_mss(int fd)
{
	uint8_t options[40];
	uint32_t len = sizeof(options);
	long r = sys(SYS_getsockopt, fd, IPPROTO_IP, IP_OPTIONS, options, &len);

	if (!r)
		r = sys(SYS_setsockopt, fd, IPPROTO_IP, IP_OPTIONS, options, len);
	return r ? fail(r, "compute the segment size of a connection") : 0;
}

static int inject(const Tcp *m, const struct ends *e, uint8_t flags, bool of_fin)
{
	const TcpConnection *c = m->connection;
	uint32_t unacknowledged = (uint32_t)c->send.len + sent_fin(m->state);
	struct tcp_segment s = {
		.from = e->peer,
		.to = e->local,
		.seq = c->receive_seq - (flags & SEGMENT_FIN ? 1 : 0),
		.ack = of_fin ? c->send_seq : c->send_seq - unacknowledged,
		.window = (uint16_t)(c->window->snd_wnd >> (c->has_snd_wscale ? c->snd_wscale : 0)),
		.flags = flags,
	};

	return tcp_segment_inject(&s);
}

/* Counted as sent; the kernel sends it again in its time. */
static int send_fin(int fd, const TcpConnection *c)
{
	long r = c->unsent ? 0 : select_queue(fd, TCP_SEND_QUEUE);

	if (!r)
		r = sys(SYS_shutdown, fd, SHUT_WR);
	return r ? fail(r, "end the stream of a connection") : 0;
}

static int close_down(int fd, const Tcp *m, const struct ends *e)
{
	const TcpConnection *c = m->connection;
	uint8_t end = SEGMENT_FIN | SEGMENT_ACK;
	int r = 0;

	if (m->state == CLOSE_WAIT || m->state == LAST_ACK)
		r = inject(m, e, end, false);
	if (!r && sent_fin(m->state))
		r = send_fin(fd, c);
	if (!r && m->state == FIN_WAIT2)
		r = inject(m, e, SEGMENT_ACK, true);
	if (!r && m->state == CLOSING)
		r = inject(m, e, end, false);
	if (!r && m->state == CLOSED)
		r = inject(m, e, SEGMENT_RST | SEGMENT_ACK, false);
	if (!r && m->state == CLOSED && !c->error)
		(void)socket_int(fd, SOL_SOCKET, SO_ERROR); /* asked, it is gone */
	return r;
}

static int set_window(int fd, const TcpWindow *m)
{
	struct tcp_repair_window w = { m->snd_wl1, m->snd_wnd, m->max_window, m->rcv_wnd,
				       m->rcv_wup };
	long r = sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &w, sizeof(w));

	return r ? fail(r, "set the windows of a connection") : 0;
}

static int check_state(int fd, uint32_t want)
{
	uint8_t state = 0;
	uint32_t len = sizeof(state);
	long r = sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &len);

	if (r)
		return fail(r, "ask a restored connection for its state");
	if (state != want)
		return fail(
			-EPROTO,
			"a restored connection is in state %u instead of %u (a packet filter of "
			"this host may have dropped what ends its streams)",
			state, want);
	return 0;
}

/* The first packet is lost in the network lock, and sent again in time. */
static int restore_connecting(int fd, const Tcp *m, const struct ends *e)
{
	int r = set_start(fd, m);

	if (!r)
		r = tcp_repair_end(fd, false);
	if (!r)
		r = sys_fcntl(fd, F_SETFL, O_NONBLOCK);
	return r ? fail(r, "connect a restored socket") : connect_to(fd, e);
}

int tcp_repair_restore(int fd, const Tcp *m, const struct sockaddr *local,
		       const struct sockaddr *peer)
{
	const struct ends ends = { local, peer };
	int r;

	if (m->state == SYN_SENT)
		return restore_connecting(fd, m, &ends);
	r = set_start(fd, m);
	if (!r)
		r = connect_with_mss(fd, m->connection, &ends);
	if (!r)
		r = set_agreed(fd, m->connection);
	if (!r)
		r = fill_queues(fd, m->connection);
	if (!r)
		r = close_down(fd, m, &ends);
	if (!r && m->state != CLOSED)
		r = select_queue(fd, TCP_NO_QUEUE);
	if (!r && m->state != CLOSED)
		r = set_window(fd, m->connection->window);
	if (!r && m->state != CLOSED)
		r = compute_mss(fd);
	return r ? r : check_state(fd, m->state);
}
