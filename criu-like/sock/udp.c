/*
 * Datagram sockets of IPv4 and IPv6: UDP, UDP-Lite and ICMP echo ("ping", whose identifier is the
 * port). Names and options are those of sock/inet.c, the queue is in sock/udp-queue.c. What was
 * shut down is told by sock_diag. Bytes kept back by UDP_CORK or MSG_MORE cannot be read and are
 * refused. They are seen as memory of the send queue; so are datagrams that wait for a device or
 * for the address of a neighbour, which leave by themselves. A call that sends nothing tells them
 * apart. Lost: an error that waits, the error queue, the queue of an echo socket.
 */
#include "udp.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"
#include "kernel/inet-diag.h"
#include "sock/inet.h"
#include "sock/socket-options.h"
#include "sock/udp-queue.h"

enum { SHUT_RECEIVE = 1, SHUT_SEND = 2, UDP_ENCAP_OPTION = 100, ESP_IN_UDP = 2 };
enum { PROBE = 0x10 /* MSG_PROBE of the kernel: send nothing */ };

static bool knows(uint32_t family, uint32_t type, uint32_t protocol)
{
	bool ip = family == AF_INET || family == AF_INET6;
	uint32_t echo = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	return ip && type == SOCK_DGRAM &&
	       (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE || protocol == echo);
}

static bool match(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;

	(void)d;
	return socket_type_of(p, &t) &&
	       knows((uint32_t)t.domain, (uint32_t)t.type, (uint32_t)t.protocol);
}

/* --- dump ----------------------------------------------------------------------------------------
 */

/*
 * 1, 0, -errno. A socket that keeps bytes back takes more of them without a look at the address,
 * here none; any other finds that the address has no port.
 */
static int is_corked(int fd)
{
	struct sockaddr_in6 a = { .sin6_family = (uint16_t)socket_int(fd, SOL_SOCKET, SO_DOMAIN) };
	long r = sys(SYS_sendto, fd, NULL, 0, PROBE | MSG_CONFIRM | MSG_MORE | MSG_DONTWAIT, &a,
		     sizeof(a));

	return r == -EINVAL ? 0 : r < 0 ? (int)r : 1;
}

static int look_for_corked(struct dump *d, struct fd_probe *p)
{
	int unsent = 0;
	int r = sys_ioctl(p->fd, SIOCOUTQ, &unsent);

	if (r == -ENOTTY || (!r && !unsent))
		return 0; /* echo sockets do not tell, and keep nothing back */
	r = r ? r : is_corked(p->fd);
	if (r <= 0)
		return r ? fail(r, "descriptor %d: ask for what it has to send", p->number) : 0;
	return fd_refuse(d, p, "its socket keeps data back (UDP_CORK, MSG_MORE)",
			 "have the program send it before the dump");
}

/* Tunnels of the kernel (L2TP, GTP) hold the socket; ESP in UDP is an option alone. */
static int look(struct dump *d, struct fd_probe *p)
{
	long encap = socket_int(p->fd, IPPROTO_UDP, UDP_ENCAP_OPTION);

	if (encap > ESP_IN_UDP)
		return fd_refuse(d, p, "it carries a tunnel of the kernel (UDP_ENCAP)",
				 "remove the tunnel before the dump");
	return look_for_corked(d, p);
}

static int shutdown_of(const struct fd_probe *p, const Inet *m, uint32_t *ret)
{
	struct inet_diag_question q = { .family = (uint8_t)m->family,
					.protocol = (uint8_t)m->protocol,
					.port = m->local ? (uint16_t)m->local->port : 0,
					.inode = (uint32_t)m->inode };
	int r = q.port ? inet_diag_shutdown(&q, ret) : -ENOENT;

	*ret &= SHUT_RECEIVE | SHUT_SEND;
	if (r != -ENOENT)
		return r ? fail(r, "descriptor %d: ask for its socket", p->number) : 0;
	r = socket_events(p, POLLRDHUP);
	if (r < 0)
		return r;
	*ret = r & POLLHUP ? SHUT_RECEIVE | SHUT_SEND : r & POLLRDHUP ? SHUT_RECEIVE : 0;
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Udp *m = msg;
	int r = look(d, p);

	m->inet = arena_new(&d->arena, Inet);
	inet__init(m->inet);
	if (!r)
		r = inet_dump(d, p, m->inet);
	if (r)
		return r;
	r = shutdown_of(p, m->inet, &m->shutdown);
	return r ? r : udp_queue_dump(d, p, m);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static int plan(struct restore *r, struct fd_obj *o)
{
	const Udp *m = o->msg;
	int e;

	if (!knows(m->inet->family, m->inet->type, m->inet->protocol) ||
	    m->shutdown > (SHUT_RECEIVE | SHUT_SEND))
		return fail(-EPROTO, "image 'udp': description %" PRIu32 " is no datagram socket",
			    o->id);
	e = inet_plan(r, o, m->inet);
	return e ? e : udp_queue_plan(o, m);
}

static uint64_t group(const void *msg)
{
	return inet_port_key(((const Udp *)msg)->inet);
}

/* Whether a datagram for one could come to the other. */
static bool overlap(const Inet *a, const Inet *b)
{
	InetName any_a, any_b;

	if (!a->local || !b->local || !a->local->port)
		return false;
	any_a = *a->local;
	any_b = *b->local;
	any_a.port = any_b.port = 0;
	return inet_name_empty(&any_a) || inet_name_empty(&any_b) ||
	       (any_a.address.len == any_b.address.len &&
		!memcmp(any_a.address.data, any_b.address.data, any_a.address.len));
}

static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	Inet **inet = arena_array(&r->arena, Inet *, n);

	for (size_t i = 0; i < n; i++)
		inet[i] = ((const Udp *)member[i]->msg)->inet;
	inet_plan_port(inet, n);
	for (size_t i = 0; i < n; i++) {
		const Udp *m = member[i]->msg;
		size_t others = 0;

		for (size_t j = 0; j < n && m->n_queue; j++)
			others += i != j && overlap(inet[i], inet[j]);
		if (!others)
			continue;
		log_warn("%zu datagrams that waited at port %" PRIu32
			 " are lost: several sockets share it",
			 m->n_queue, inet[i]->local->port);
		((Udp *)m)->n_queue = 0; /* the plan's own message */
	}
	return 0;
}

/* --- open ----------------------------------------------------------------------------------------
 */

/* An unconnected socket says it is not, and does it. */
static int shut(int fd, uint32_t how)
{
	long r = how ? sys(SYS_shutdown, fd,
			   how == SHUT_RECEIVE ? SHUT_RD
			   : how == SHUT_SEND  ? SHUT_WR
					       : SHUT_RDWR)
		     : 0;

	return r && r != -ENOTCONN ? fail(r, "shut a socket down") : 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Udp *m = obj->msg;
	_close_ int fd = inet_make(m->inet);
	int r = fd < 0 ? fd : inet_bind(fd, m->inet);

	(void)o;
	if (!r)
		r = udp_queue_fill(fd, m);
	if (!r)
		r = inet_connect(fd, m->inet);
	if (!r)
		r = inet_complete(fd, m->inet, obj->ofd);
	if (!r)
		r = shut(fd, m->shutdown);
	return r ? r : take_fd(&fd);
}

static int stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number)
{
	inet_stage(p, at, ((const Udp *)obj->msg)->inet, number);
	return 0;
}

const struct fd_kind kind_udp = { .name = "udp",
				  .descriptor = &udp__descriptor,
				  .match = match,
				  .look = look,
				  .dump = dump,
				  .plan = plan,
				  .group = group,
				  .plan_group = plan_group,
				  .open = open_fd,
				  .stage = stage };
