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

/* Whether somebody routes multicast packets in this network namespace: 1, 0 or -errno. */
static int is_routing(struct dump *d, int family)
{
	const char *path = family == AF_INET ? "/proc/sys/net/ipv4/conf/all/mc_forwarding"
					     : "/proc/sys/net/ipv6/conf/all/mc_forwarding";
	struct span text;
	int r = io_slurp_at(&d->arena, AT_FDCWD, path, &text);

	if (r)
		return r == -ENOENT ? 0 : fail(r, "read '%s'", path);
	return text.len && text.p[0] != '0';
}

static int look(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;
	bool router = socket_type_of(p, &t) &&
		      t.protocol == (t.domain == AF_INET ? IPPROTO_IGMP : IPPROTO_ICMPV6);

	int r = router ? is_routing(d, t.domain) : 0;

	if (r > 0)
		return fd_refuse(d, p, "it may route multicast packets (MRT_INIT)",
				 "stop the routing daemon before the dump");
	return r;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	int events = socket_events(p, POLLIN | POLLRDHUP);
	Raw *m = msg;
	int r = events < 0 ? events : look(d, p);

	m->inet = arena_new(&d->arena, Inet);
	inet__init(m->inet);
	if (r)
		return r;
	if (events & POLLRDHUP)
		m->shutdown = events & POLLHUP ? SHUT_RECEIVE | SHUT_SEND : SHUT_RECEIVE;
	else if (events & POLLIN)
		log_warn("descriptor %d: packets that wait on its raw socket are lost", p->number);
	return inet_dump(d, p, m->inet);
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
	if (m->shutdown) /* answers ENOTCONN without a peer, and does it */
		r = (int)sys(SYS_shutdown, fd, m->shutdown & SHUT_SEND ? SHUT_RDWR : SHUT_RD);
	return r && r != -ENOTCONN ? fail(r, "shut a raw socket down") : take_fd(&fd);
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
