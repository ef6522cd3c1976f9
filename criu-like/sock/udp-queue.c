/*
 * Datagrams in the receive queue of a UDP socket. They are looked at with MSG_PEEK and a moving
 * offset (SO_PEEK_OFF, put back in any case), each with its sender and the ancillary data that the
 * program asked for; segments that the kernel had put together (UDP_GRO) are taken apart. On
 * restore they come once more, as packets from their senders through the loopback: a raw socket
 * may name any sender. They arrive now (SO_TIMESTAMP) and by the loopback (index in PKTINFO), and
 * an empty datagram that somebody looked at before is never told again. Datagrams get lost: where
 * one does not arrive (filters of the system, a group as its target) the restore warns and goes on.
 */
#include "sock/udp-queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/net-guard.h"
#include "kernel/descriptor.h"
#include "sock/inet.h"
#include "sock/socket-options.h"

enum {
	DATAGRAM_BYTES = 65535,
	CONTROL_BYTES = 4096,
	UDP_GRO_SIZE = 104,
	MEMINFO_VALUES = 9, /* SO_MEMINFO; the first is what the receive queue takes */
	WAIT_MS = 500,
};

/* --- dump ----------------------------------------------------------------------------------------
 */

static void read_control(struct dump *d, const struct cmsghdr *c, UdpDatagram *g, int *segment)
{
	bool v4 = c->cmsg_level == IPPROTO_IP, v6 = c->cmsg_level == IPPROTO_IPV6;
	const unsigned char *data = CMSG_DATA(c);
	int value = 0;

	memcpy(&value, data,
	       c->cmsg_len < CMSG_LEN(sizeof(value)) ? c->cmsg_len - CMSG_LEN(0) : sizeof(value));
	if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO_SIZE) {
		*segment = value;
	} else if ((v4 && c->cmsg_type == IP_TOS) || (v6 && c->cmsg_type == IPV6_TCLASS)) {
		g->has_tos = true;
		g->tos = (uint32_t)value;
	} else if ((v4 && c->cmsg_type == IP_TTL) || (v6 && c->cmsg_type == IPV6_HOPLIMIT)) {
		g->has_ttl = true;
		g->ttl = (uint32_t)value;
	} else if (v4 && c->cmsg_type == IP_PKTINFO) {
		data += offsetof(struct in_pktinfo, ipi_addr);
		g->has_to = true;
		g->to = (ProtobufCBinaryData){ 4, arena_memdup(&d->arena, data, 4) };
	} else if (v4 && c->cmsg_type == IP_ORIGDSTADDR) {
		data += offsetof(struct sockaddr_in, sin_addr);
		g->has_to = true;
		g->to = (ProtobufCBinaryData){ 4, arena_memdup(&d->arena, data, 4) };
	} else if (v6 && c->cmsg_type == IPV6_PKTINFO) {
		data += offsetof(struct in6_pktinfo, ipi6_addr);
		g->has_to = true;
		g->to = (ProtobufCBinaryData){ 16, arena_memdup(&d->arena, data, 16) };
	}
}

static void add_one(struct dump *d, Udp *m, const UdpDatagram *like, ProtobufCBinaryData bytes)
{
	UdpDatagram *g = arena_memdup(&d->arena, like, sizeof(*like));

	g->bytes = (ProtobufCBinaryData){ bytes.len,
					  arena_memdup(&d->arena, bytes.data, bytes.len) };
	m->queue = arena_grow(&d->arena, m->queue, m->n_queue * sizeof(g),
			      (m->n_queue + 1) * sizeof(g));
	m->queue[m->n_queue++] = g;
}

/* 1: there was one, 0: no more, -errno. */
static int peek_one(struct dump *d, struct fd_probe *p, Udp *m, uint8_t *buf)
{
	union inet_address from = { 0 };
	char control[CONTROL_BYTES];
	struct iovec iov = { buf, DATAGRAM_BYTES };
	struct msghdr h = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	UdpDatagram g = UDP_DATAGRAM__INIT;
	long n = sys(SYS_recvmsg, p->fd, &h, MSG_PEEK | MSG_DONTWAIT);
	int segment = 0;

	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return fail(n, "descriptor %d: look into the queue", p->number);
	g.from = inet_name(&d->arena, &from);
	if (!g.from)
		return fail(-EPROTO, "descriptor %d: a datagram without a sender", p->number);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		read_control(d, c, &g, &segment);
	if (segment <= 0)
		segment = DATAGRAM_BYTES;
	for (long at = 0; at < n || !at; at += segment)
		add_one(d, m, &g,
			(ProtobufCBinaryData){
				(size_t)(n - at < segment ? n - at : segment), buf + at });
	return 1;
}

int udp_queue_dump(struct dump *d, struct fd_probe *p, Udp *m)
{
	int events = socket_events(p, POLLIN | POLLERR);
	struct net_guarded before = { .pid = p->task->pid, .number = p->number,
				      .peek = (int)socket_int(p->fd, SOL_SOCKET, SO_PEEK_OFF) };
	uint8_t buf[DATAGRAM_BYTES];
	int r, e;

	if (events < 0)
		return events;
	if (events & POLLERR)
		log_warn("descriptor %d: an error that waits on its socket is lost", p->number);
	if (!(events & POLLIN))
		return 0;
	if (before.peek == -EOPNOTSUPP) {
		log_warn("descriptor %d: what waits in its queue is lost", p->number);
		return 0;
	}
	if (before.peek < -1)
		return fail(before.peek, "descriptor %d: ask for SO_PEEK_OFF", p->number);
	r = net_guard_set(d, &before);
	if (r)
		return r;
	r = socket_set_int(p->fd, SOL_SOCKET, SO_PEEK_OFF, 0);
	r = r ? fail(r, "descriptor %d: look into the queue", p->number) : 1;
	while (r > 0)
		r = peek_one(d, p, m, buf);
	e = net_guard_mend(p->fd, &before);
	e = e ? net_guard_mend(p->fd, &before) : 0; /* no fault may leave it changed */
	net_guard_clear(d);
	return e && !r ? fail(e, "descriptor %d: put SO_PEEK_OFF back", p->number) : r;
}

/* --- plan ----------------------------------------------------------------------------------------
 */

int udp_queue_plan(const struct fd_obj *o, const Udp *m)
{
	for (size_t i = 0; i < m->n_queue; i++) {
		const UdpDatagram *g = m->queue[i];

		if (!inet_name_ok(g->from) || g->from->family != m->inet->family ||
		    g->bytes.len > DATAGRAM_BYTES - sizeof(struct udphdr) ||
		    (g->has_to && g->to.len != 4 && g->to.len != 16))
			return fail(-EPROTO, "image 'udp': description %" PRIu32
					     " has an impossible datagram", o->id);
	}
	return 0;
}

/* --- fill ----------------------------------------------------------------------------------------
 */

struct packet { /* on its way: addresses of 4 or 16 bytes */
	const UdpDatagram *g;
	size_t address_bytes;
	uint8_t from[16], to[16];
	uint8_t protocol;
	uint16_t port;
};

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

/* Header and bytes; yields the length. */
static size_t make_udp(const struct packet *k, uint8_t *buf)
{
	struct udphdr *u = (struct udphdr *)buf;
	size_t len = sizeof(*u) + k->g->bytes.len;
	uint32_t sum;

	*u = (struct udphdr){ .source = htons((uint16_t)k->g->from->port),
			      .dest = htons(k->port),
			      .len = htons((uint16_t)len) };
	memcpy(u + 1, k->g->bytes.data, k->g->bytes.len);
	sum = sum_bytes(0, k->from, k->address_bytes);
	sum = sum_bytes(sum, k->to, k->address_bytes);
	sum += k->protocol + (uint32_t)len;
	sum = sum_bytes(sum, buf, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	u->check = htons((uint16_t)~sum);
	if (!u->check)
		u->check = 0xffff;
	return len;
}

static size_t make_packet(const struct packet *k, uint8_t *buf)
{
	const UdpDatagram *g = k->g;
	struct ip6_hdr *v6 = (struct ip6_hdr *)buf;
	struct iphdr *v4 = (struct iphdr *)buf;
	size_t len;

	if (k->address_bytes == 4) {
		len = make_udp(k, buf + sizeof(*v4));
		*v4 = (struct iphdr){ .version = 4,
				      .ihl = 5,
				      .tos = (uint8_t)g->tos,
				      .ttl = (uint8_t)(g->has_ttl ? g->ttl : 64),
				      .protocol = k->protocol,
				      .tot_len = htons((uint16_t)(len + sizeof(*v4))) };
		memcpy(&v4->saddr, k->from, 4);
		memcpy(&v4->daddr, k->to, 4);
		return len + sizeof(*v4);
	}
	len = make_udp(k, buf + sizeof(*v6));
	*v6 = (struct ip6_hdr){ 0 };
	v6->ip6_flow = htonl(6U << 28 | (g->tos & 0xff) << 20);
	v6->ip6_plen = htons((uint16_t)len);
	v6->ip6_nxt = k->protocol;
	v6->ip6_hlim = (uint8_t)(g->has_ttl ? g->ttl : 64);
	memcpy(&v6->ip6_src, k->from, 16);
	memcpy(&v6->ip6_dst, k->to, 16);
	return len + sizeof(*v6);
}

/* Last four bytes of an IPv4 address in IPv6 clothes, else the address. */
static const uint8_t *plain_address(const ProtobufCBinaryData *a, size_t *ret_len)
{
	bool mapped = a->len == 16 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a->data);

	*ret_len = mapped ? 4 : a->len;
	return mapped ? a->data + 12 : a->data;
}

/* To the address it was sent to, the one the socket has, or the loopback. */
static void choose_addresses(const Udp *m, struct packet *k)
{
	static const uint8_t loopback4[4] = { 127, 0, 0, 1 };
	size_t from_bytes, to_bytes = 0;
	const uint8_t *from = plain_address(&k->g->from->address, &from_bytes), *to = NULL;

	if (k->g->has_to)
		to = plain_address(&k->g->to, &to_bytes);
	if (to_bytes != from_bytes && m->inet->local)
		to = plain_address(&m->inet->local->address, &to_bytes);
	if (to_bytes != from_bytes || !memcmp(to, &in6addr_any, to_bytes)) {
		to = from_bytes == 4 ? loopback4 : (const uint8_t *)&in6addr_loopback;
		to_bytes = from_bytes;
	}
	k->address_bytes = from_bytes;
	memcpy(k->from, from, from_bytes);
	memcpy(k->to, to, to_bytes);
}

/* What a firewall, routes or a loopback that is down answer. */
static bool is_no_way(long r)
{
	return r == -EPERM || r == -EACCES || r == -EMSGSIZE || r == -ENETUNREACH ||
	       r == -EHOSTUNREACH || r == -ENETDOWN || r == -EINVAL || r == -EADDRNOTAVAIL;
}

/* 1: sent, 0: there is no way, -errno. */
static int send_packet(const struct packet *k, const uint8_t *buf, size_t len)
{
	bool v4 = k->address_bytes == 4;
	_close_ int fd = (int)sys(SYS_socket, v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC,
				  IPPROTO_RAW);
	struct sockaddr_in a4 = { .sin_family = AF_INET };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	long r = fd < 0 ? fd : socket_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20);

	if (r)
		return fail(r, "make a socket to fill a queue");
	memcpy(&a4.sin_addr, k->to, 4);
	memcpy(&a6.sin6_addr, k->to, 16);
	r = v4 ? sys(SYS_sendto, fd, buf, len, MSG_DONTWAIT, &a4, sizeof(a4))
	       : sys(SYS_sendto, fd, buf, len, MSG_DONTWAIT, &a6, sizeof(a6));
	if (r < 0)
		return is_no_way(r) ? 0 : fail(r, "fill the queue of a socket");
	return 1;
}

/* What the receive queue takes; -errno. */
static long queue_memory(int fd)
{
	uint32_t info[MEMINFO_VALUES] = { 0 }, len = sizeof(info);
	long r = sys(SYS_getsockopt, fd, SOL_SOCKET, SO_MEMINFO, info, &len);

	return r ? fail(r, "ask for the size of a queue") : (long)info[0];
}

/* 1: it arrived, 0: it did not, -errno. */
static int deliver(int fd, const struct packet *k, uint8_t *buf)
{
	long before = queue_memory(fd), now = before;
	int r = before < 0 ? (int)before : send_packet(k, buf, make_packet(k, buf));

	if (r <= 0)
		return r;
	for (int i = 0; i < WAIT_MS && now == before; i++) {
		now = queue_memory(fd);
		if (now == before)
			(void)sys(SYS_poll, NULL, 0, 1); /* a pause, nothing else */
	}
	return now < 0 ? (int)now : now != before;
}

static int fill(int fd, const Udp *m)
{
	uint8_t buf[DATAGRAM_BYTES + sizeof(struct ip6_hdr)];

	for (size_t i = 0; i < m->n_queue; i++) {
		struct packet k = { .g = m->queue[i],
				    .protocol = (uint8_t)m->inet->protocol,
				    .port = (uint16_t)m->inet->local->port };
		int r;

		choose_addresses(m, &k);
		r = deliver(fd, &k, buf);
		if (r < 0)
			return r;
		if (r)
			continue;
		log_warn("%zu datagrams that waited at port %" PRIu32 " are lost", m->n_queue - i,
			 m->inet->local->port);
		break;
	}
	return 0;
}

int udp_queue_fill(int fd, const Udp *m)
{
	int device = (int)socket_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX), r = 0;

	if (!m->n_queue || !m->inet->local)
		return 0;
	if (device > 0) /* they come by the loopback */
		r = socket_set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 0);
	if (device < 0 || r)
		return fail(device < 0 ? device : r, "take a socket from its interface");
	r = socket_buffers_enlarge(fd);
	if (!r)
		r = fill(fd, m);
	if (r || !device)
		return r;
	r = socket_set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, device);
	return r ? fail(r, "bind a socket to its interface again") : 0;
}
