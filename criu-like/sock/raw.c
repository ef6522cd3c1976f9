/*
 * Raw sockets of IPv4 and IPv6, any protocol. Everything is told by the socket itself: names (the
 * port is the protocol), options, the ICMP filters among them; sock_diag, which many kernels lack
 * for them, is not needed. Packets that wait are lost, with a warning: the socket shows one of them
 * only. The socket of a multicast routing daemon holds the kernel's routing table and is refused.
 * Not told, and lost: IP_ROUTER_ALERT, sending alone shut down.
 */
#include "raw.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"
#include "sock/inet.h"
#include "sock/socket-options.h"

enum { SHUT_RECEIVE = 1, SHUT_SEND = 2, PROTOCOLS = 256 };

static bool match(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;

	(void)d;
	return socket_type_of(p, &t) && (t.domain == AF_INET || t.domain == AF_INET6) &&
	       t.type == SOCK_RAW;
}

/* Whether somebody routes multicast packets in this network namespace. */
static bool is_routing(struct dump *d, int family)
{
	struct span text;
	int r = io_slurp_at(&d->arena, AT_FDCWD,
			    family == AF_INET ? "/proc/sys/net/ipv4/conf/all/mc_forwarding"
					      : "/proc/sys/net/ipv6/conf/all/mc_forwarding",
			    &text);

	return !r && text.len && text.p[0] != '0';
}

static int look(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;
	bool router = socket_type_of(p, &t) &&
		      t.protocol == (t.domain == AF_INET ? IPPROTO_IGMP : IPPROTO_ICMPV6);

	if (router && is_routing(d, t.domain))
		return fd_refuse(d, p, "it may route multicast packets (MRT_INIT)",
				 "stop the routing daemon before the dump");
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct pollfd poll = { p->fd, POLLIN | POLLRDHUP, 0 };
	Raw *m = msg;
	int r = look(d, p);

	m->inet = arena_new(&d->arena, Inet);
	inet__init(m->inet);
	(void)sys(SYS_poll, &poll, 1, 0); /* zero: nothing waits */
	if (poll.revents & POLLRDHUP)
		m->shutdown = poll.revents & POLLHUP ? SHUT_RECEIVE | SHUT_SEND : SHUT_RECEIVE;
	else if (poll.revents & POLLIN)
		log_warn("descriptor %d: packets that wait on its raw socket are lost", p->number);
	return r ? r : inet_dump(d, p, m->inet);
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Raw *m = o->msg;

	if (m->inet->type != SOCK_RAW || m->inet->protocol >= PROTOCOLS ||
	    m->shutdown > (SHUT_RECEIVE | SHUT_SEND))
		return fail(-EPROTO, "image 'raw': description %" PRIu32 " is no raw socket",
			    o->id);
	return inet_plan(r, o, m->inet);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Raw *m = obj->msg;
	_close_ int fd = inet_make(m->inet);
	int r = fd < 0 ? fd : inet_bind(fd, m->inet);

	(void)o;
	if (!r)
		r = inet_connect(fd, m->inet);
	if (!r)
		r = inet_complete(fd, m->inet, obj->ofd);
	if (r)
		return r;
	if (m->shutdown) /* answers ENOTCONN, and does it */
		(void)sys(SYS_shutdown, fd, m->shutdown & SHUT_SEND ? SHUT_RDWR : SHUT_RD);
	return take_fd(&fd);
}

static int stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number)
{
	inet_stage(p, at, ((const Raw *)obj->msg)->inet, number);
	return 0;
}

const struct fd_kind kind_raw = { .name = "raw",
				  .descriptor = &raw__descriptor,
				  .match = match,
				  .look = look,
				  .dump = dump,
				  .plan = plan,
				  .open = open_fd,
				  .stage = stage };
