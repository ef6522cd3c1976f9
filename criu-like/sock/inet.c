/*
 * What IPv4 and IPv6 sockets have in common. getsockname(2) and getpeername(2) tell the names. Not
 * told is whether the program chose the local name or the kernel did; it is bound in either case,
 * which only shows when the socket is disconnected. An address that this host does not have at the
 * dump was bound with IP_FREEBIND or IP_TRANSPARENT, whatever these say now, and is bound like that
 * again. Otherwise a missing address or a taken port refuses the restore before anything is made:
 * a socket is bound to the name and closed.
 * The owner of a socket (netfilter, /proc/net) is that of its inode; the credentials it was made
 * with are those of the tool.
 */
#include "sock/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/interface.h"
#include "sock/inet-member.h"
#include "sock/inet-map.h"
#include "sock/socket-options.h"

enum { FLOW_LABEL_MASK = 0x000fffff };

/* --- names ---------------------------------------------------------------------------------------
 */

/* 0: it is not there. */
static uint32_t device_index(const char *name)
{
	int index = interface_index(name);

	return index < 0 ? 0 : (uint32_t)index;
}

uint32_t inet_address(const InetName *n, union inet_address *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (union inet_address){ 0 };
	if (n->family == AF_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)n->port);
		memcpy(&v4->sin_addr, n->address.data, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)n->port);
	v6->sin6_scope_id = n->device ? device_index(n->device) : 0;
	v6->sin6_flowinfo = n->flowinfo;
	memcpy(&v6->sin6_addr, n->address.data, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

InetName *inet_name(struct arena *a, const union inet_address *from)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	InetName *n = arena_new(a, InetName);
	char device[IF_NAMESIZE];

	inet_name__init(n);
	n->family = from->any.sa_family;
	if (n->family == AF_INET) {
		n->port = ntohs(v4->sin_port);
		n->address.len = sizeof(v4->sin_addr);
		n->address.data = arena_memdup(a, &v4->sin_addr, n->address.len);
		return n;
	}
	if (n->family != AF_INET6)
		return NULL;
	n->port = ntohs(v6->sin6_port);
	n->address.len = sizeof(v6->sin6_addr);
	n->address.data = arena_memdup(a, &v6->sin6_addr, n->address.len);
	n->has_flowinfo = v6->sin6_flowinfo != 0;
	n->flowinfo = v6->sin6_flowinfo;
	if (!v6->sin6_scope_id)
		return n;
	if (interface_name((int)v6->sin6_scope_id, device))
		return NULL;
	n->device = arena_strdup(a, device);
	return n;
}

const char *inet_text(struct arena *a, const InetName *n)
{
	char text[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop((int)n->family, n->address.data, text, sizeof(text)); /* "?" will do */
	return arena_printf(a, n->family == AF_INET ? "%s:%u" : "[%s]:%u", text, n->port);
}

bool inet_name_ok(const InetName *n)
{
	size_t len = n->family == AF_INET ? 4 : n->family == AF_INET6 ? 16 : 0;

	return len && n->address.len == len && n->port <= UINT16_MAX;
}

bool inet_name_empty(const InetName *n)
{
	return !n->port && !memcmp(n->address.data, &in6addr_any, n->address.len);
}

/* --- binding -------------------------------------------------------------------------------------
 */

static bool is_raw(const Inet *m)
{
	return m->type == SOCK_RAW;
}

/* It shares its port by force (TCP_REPAIR), and even with listeners. */
static bool is_connection(const Inet *m)
{
	return m->type == SOCK_STREAM && m->peer;
}

static int option_of(const Inet *m, int level, int name)
{
	return socket_option_int(m->n_option, m->option, (const int[]){ level, name }, 0);
}

/* Users may have different options on sockets of one port only if they own both. */
static int own(int fd, const Inet *m)
{
	int r = (int)sys(SYS_fchown, fd, m->uid, m->gid);

	return r ? fail(r, "give a socket to user %" PRIu32, m->uid) : 0;
}

/* What the kernel takes as the name to bind to: a raw socket has its protocol already. */
static uint32_t bind_address(const Inet *m, union inet_address *ret)
{
	InetName name = *m->local;

	if (is_raw(m))
		name.port = 0;
	name.flowinfo = 0;
	return inet_address(&name, ret);
}

/*
 * Whether a socket could be bound: 0, or the kernel's answer. `device`: index, 0: any. The port is
 * only tried if `reuse` is not negative: it says whether the address may be shared.
 */
static int try_name(const Inet *m, int device, int reuse)
{
	int type = is_raw(m) ? SOCK_DGRAM : (int)m->type;
	_close_ int fd = (int)sys(SYS_socket, m->family, type | SOCK_CLOEXEC,
				  is_raw(m) || reuse < 0 ? 0 : m->protocol);
	struct sockaddr_in *in = NULL;
	union inet_address a;
	uint32_t len;

	if (fd < 0)
		return fd;
	len = bind_address(m, &a);
	in = (struct sockaddr_in *)&a; /* the port is at the same place in both families */
	if (reuse < 0)
		in->sin_port = 0;
	if (device > 0)
		(void)socket_set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, device); /* then without */
	(void)sys(SYS_fchown, fd, m->uid, m->gid);				/* without root */
	if (m->family == AF_INET6)
		(void)socket_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY,
				     option_of(m, IPPROTO_IPV6, IPV6_V6ONLY));
	if (reuse > 0)
		(void)socket_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (option_of(m, SOL_SOCKET, SO_REUSEPORT))
		(void)socket_set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return (int)sys(SYS_bind, fd, &a, len);
}

/* Whether the kernel by itself takes the local address for this peer. */
static bool is_source(const Inet *m)
{
	_close_ int fd = (int)sys(SYS_socket, m->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 *in6;
	union inet_address a;
	uint32_t len = inet_address(m->peer, &a);

	if (fd < 0 || sys(SYS_connect, fd, &a, len) || sys(SYS_getsockname, fd, &a, &len))
		return false;
	in6 = (struct sockaddr_in6 *)&a;
	return !memcmp(&in6->sin6_addr, m->local->address.data, sizeof(in6->sin6_addr));
}

/*
 * An IPv6 socket that is bound to an address is for IPv6 only from then on. One that is not got its
 * address from the kernel, with its peer.
 */
static bool is_chosen_by_kernel(const Inet *m)
{
	const struct in6_addr *a = (const struct in6_addr *)m->local->address.data;

	return m->family == AF_INET6 && m->type == SOCK_DGRAM && m->peer &&
	       !option_of(m, IPPROTO_IPV6, IPV6_V6ONLY) && !IN6_IS_ADDR_UNSPECIFIED(a) &&
	       !IN6_IS_ADDR_V4MAPPED(a) && is_source(m);
}

int inet_bind(int fd, const Inet *m)
{
	bool free = option_of(m, IPPROTO_IP, IP_FREEBIND) ||
		    option_of(m, IPPROTO_IPV6, IPV6_FREEBIND);
	int level = m->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int free_name = m->family == AF_INET ? IP_FREEBIND : IPV6_FREEBIND;
	union inet_address a;
	uint32_t len;
	int r = 0;

	if (!m->local)
		return 0;
	len = bind_address(m, &a);
	if (is_chosen_by_kernel(m))
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_any;
	if (m->foreign && !free)
		r = socket_set_int(fd, level, free_name, 1);
	if (!r && !m->local->port && !is_raw(m)) /* an address alone */
		r = socket_set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (!r && !is_raw(m) && !is_connection(m))
		r = socket_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!r && (m->reuseport || option_of(m, SOL_SOCKET, SO_REUSEPORT)))
		r = socket_set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!r)
		r = (int)sys(SYS_bind, fd, &a, len);
	if (!r && m->foreign && !free)
		r = socket_set_int(fd, level, free_name, 0);
	if (!r && !m->local->port && !is_raw(m))
		r = socket_set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT,
				   option_of(m, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT));
	return r ? fail(r, "bind a socket to port %" PRIu32, m->local->port) : 0;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int dump_name(struct dump *d, struct fd_probe *p, long call, InetName **ret)
{
	union inet_address a = { 0 };
	uint32_t len = sizeof(a);
	long r = sys(call, p->fd, &a, &len);

	*ret = NULL;
	if (r == -ENOTCONN)
		return 0;
	if (r)
		return fail(r, "descriptor %d: ask for the name of its socket", p->number);
	*ret = inet_name(&d->arena, &a);
	if (!*ret)
		return fail(-EPROTO, "descriptor %d: its socket has a name of family %d", p->number,
			    a.any.sa_family);
	if ((*ret)->has_flowinfo && ntohl((*ret)->flowinfo) & FLOW_LABEL_MASK)
		return fd_refuse(d, p, "it uses an IPv6 flow label", "connect it without one");
	return 0;
}

/* "  1: 0100007F:0001 0100007F:0000 01 ...": words of four bytes as numbers of this machine. */
static int peer_of_line(struct span line, const Inet *m, union inet_address *ret)
{
	struct span word[10];
	uint64_t inode, value;
	size_t bytes = m->family == AF_INET ? 4 : 16;
	uint8_t *to = (uint8_t *)ret + (bytes == 4 ? offsetof(struct sockaddr_in, sin_addr)
						   : offsetof(struct sockaddr_in6, sin6_addr));

	for (size_t i = 0; i < array_size(word); i++)
		if (!span_word(&line, &word[i]))
			return -EINVAL;
	if (span_u64(word[9], 10, &inode) || inode != m->inode || word[2].len < bytes * 2)
		return -EINVAL;
	*ret = (union inet_address){ .any.sa_family = (sa_family_t)m->family };
	for (size_t i = 0; i < bytes; i += 4) {
		uint32_t part;

		if (span_u64((struct span){ word[2].p + i * 2, 8 }, 16, &value))
			return -EINVAL;
		part = (uint32_t)value;
		memcpy(to + i, &part, sizeof(part));
	}
	return 0;
}

/* getpeername(2) does not tell a peer without a port; raw and echo sockets have such. */
static int dump_bare_peer(struct dump *d, Inet *m)
{
	static const char *const path[2][2] = { { "/proc/net/icmp", "/proc/net/icmp6" },
						{ "/proc/net/raw", "/proc/net/raw6" } };
	struct span text, line;
	union inet_address a;
	int r;

	if (m->peer || m->type == SOCK_STREAM || m->protocol == IPPROTO_UDP ||
	    m->protocol == IPPROTO_UDPLITE)
		return 0;
	r = io_slurp_at(&d->arena, AT_FDCWD, path[is_raw(m)][m->family == AF_INET6], &text);
	if (r)
		return fail(r, "read '%s'", path[is_raw(m)][m->family == AF_INET6]);
	while (span_line(&text, &line)) {
		if (peer_of_line(line, m, &a))
			continue;
		m->peer = inet_name(&d->arena, &a);
		if (inet_name_empty(m->peer))
			m->peer = NULL;
		return 0;
	}
	return 0;
}

static int dump_names(struct dump *d, struct fd_probe *p, Inet *m)
{
	int r = dump_name(d, p, SYS_getsockname, &m->local), device;
	InetName bare;

	if (!r)
		r = dump_name(d, p, SYS_getpeername, &m->peer);
	if (r)
		return r;
	r = dump_bare_peer(d, m);
	if (r)
		return r;
	bare = *m->local;
	bare.port = is_raw(m) ? 0 : bare.port;
	if (inet_name_empty(&bare)) {
		m->local = NULL;
		return 0;
	}
	device = (int)socket_int(p->fd, SOL_SOCKET, SO_BINDTOIFINDEX);
	r = device < 0 ? device : try_name(m, device, -1);
	m->foreign = m->has_foreign = r == -EADDRNOTAVAIL;
	return r && !m->foreign ? fail(r, "descriptor %d: try its address", p->number) : 0;
}

int inet_dump(struct dump *d, struct fd_probe *p, Inet *m)
{
	struct socket_type t;
	int r;

	if (!socket_type_of(p, &t))
		return fail(-EPROTO, "descriptor %d: the kernel does not tell its socket's type",
			    p->number);
	m->inode = p->st.st_ino;
	m->family = (uint32_t)t.domain;
	m->type = (uint32_t)t.type;
	m->protocol = (uint32_t)t.protocol;
	m->uid = p->st.st_uid;
	m->gid = p->st.st_gid;
	p->key = arena_printf(&d->arena, "socket:[%" PRIu64 "]", m->inode);
	r = socket_options_dump(d, p, &m->n_option, &m->option);
	if (!r)
		r = inet_members_dump(d, p, m);
	return r ? r : dump_names(d, p, m);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static int check_record(const struct fd_obj *o, const Inet *m)
{
	bool ok = m->family == AF_INET || m->family == AF_INET6;

	if (ok && m->local)
		ok = m->local->family == m->family && inet_name_ok(m->local);
	if (ok && m->peer)
		ok = m->peer->family == m->family && inet_name_ok(m->peer);
	return ok ? 0
		  : fail(-EPROTO, "image '%s': description %" PRIu32 " has no possible name",
			 o->kind->name, o->id);
}

/* The device a socket is bound to: its index, 0: none; -ENOTSUP: refused. */
static int plan_device(struct restore *r, const char *object, const Inet *m)
{
	char name[IF_NAMESIZE + 1] = "";
	int index;

	for (size_t i = 0; i < m->n_option; i++)
		if (m->option[i]->level == SOL_SOCKET && m->option[i]->name == SO_BINDTODEVICE &&
		    m->option[i]->value.len)
			memcpy(name, m->option[i]->value.data, m->option[i]->value.len);
	index = name[0] ? interface_index(name) : 0;
	if (index != -ENODEV)
		return index < 0 ? 0 : index;
	return refuse(&r->blockers, 0, object,
		      arena_printf(&r->arena, "there is no interface '%s'", name),
		      "make one of this name");
}

int inet_plan(struct restore *r, const struct fd_obj *o, Inet *m)
{
	const char *object;
	bool reuse;
	int e = check_record(o, m), device;

	if (!e)
		e = socket_options_plan(r, o, m->n_option, m->option);
	if (!e)
		e = inet_members_plan(r, o, m);
	if (e)
		return e;
	inet_map(r, m->local);
	inet_map(r, m->peer);
	if (!m->local)
		return 0;
	object = arena_printf(&r->arena, "%s socket %s", o->kind->name,
			      inet_text(&r->arena, m->local));
	device = plan_device(r, object, m);
	if (device < 0 || m->foreign)
		return device < 0 ? device : 0;
	/* Connections that ended with the tree may still wait in the kernel (TIME_WAIT). */
	reuse = m->type == SOCK_STREAM || option_of(m, SOL_SOCKET, SO_REUSEADDR);
	e = try_name(m, device, is_connection(m) ? -1 : reuse);
	if (e == -EADDRNOTAVAIL)
		return refuse(&r->blockers, 0, object, "this host does not have its address",
			      "give the address to an interface, or use another with --map-ip");
	if (e == -EADDRINUSE)
		return refuse(&r->blockers, 0, object, "its port is in use",
			      "end the process that uses it, or wait for a minute if it has ended "
			      "(ss -anp)");
	return 0;
}

uint64_t inet_port_key(const Inet *m)
{
	return (uint64_t)m->protocol << 32 | (m->local ? m->local->port : 0);
}

/*
 * SO_REUSEPORT may be off by now, but where the port could not be shared by SO_REUSEADDR alone it
 * was on.
 */
void inet_plan_port(Inet *const *member, size_t n)
{
	bool grouped = false, shared = true;

	for (size_t i = 0; i < n; i++) {
		grouped |= option_of(member[i], SOL_SOCKET, SO_REUSEPORT);
		shared &= option_of(member[i], SOL_SOCKET, SO_REUSEADDR);
	}
	if (!grouped || shared || n < 2)
		return;
	for (size_t i = 0; i < n; i++)
		member[i]->reuseport = member[i]->has_reuseport = member[i]->local &&
								  member[i]->local->port;
}

/* --- open ----------------------------------------------------------------------------------------
 */

/*
 * Echo sockets are for the groups of net.ipv4.ping_group_range alone, and root is no exception: the
 * owner of this one was in it.
 */
static int make_as_group(const Inet *m)
{
	uint32_t real, effective, saved;
	int fd, r = (int)sys(SYS_getresgid, &real, &effective, &saved);

	if (!r)
		r = (int)sys(SYS_setresgid, -1, m->gid, -1);
	if (r)
		return r;
	fd = (int)sys(SYS_socket, m->family, m->type | SOCK_CLOEXEC, m->protocol);
	r = (int)sys(SYS_setresgid, -1, effective, -1);
	if (!r || fd < 0)
		return fd;
	(void)sys_close(fd); /* the failure is told */
	return r;
}

int inet_make(const Inet *m)
{
	_close_ int fd = (int)sys(SYS_socket, m->family, m->type | SOCK_CLOEXEC, m->protocol);
	int r;

	if (fd == -EACCES)
		fd = make_as_group(m);

	if (fd < 0)
		return fail(fd, "make a socket");
	r = own(fd, m);
	if (!r)
		r = socket_options_apply(fd, m->n_option, m->option, SOCKET_FRESH);
	return r ? r : take_fd(&fd);
}

int inet_connect(int fd, const Inet *m)
{
	union inet_address a;
	int r = m->peer ? (int)sys(SYS_connect, fd, &a, inet_address(m->peer, &a)) : 0;

	return r ? fail(r, "connect a socket") : 0;
}

int inet_complete(int fd, const Inet *m, const Ofd *ofd)
{
	int r = inet_members_join(fd, m);

	if (!r)
		r = socket_options_apply(fd, m->n_option, m->option, SOCKET_READY);
	if (!r)
		r = socket_options_apply(fd, m->n_option, m->option, SOCKET_LAST);
	if (r)
		return r;
	r = sys_fcntl(fd, F_SETFL, (long)(ofd->flags & O_NONBLOCK));
	return r ? fail(r, "set the flags of a socket") : 0;
}

static void stage_option(struct prog *p, int number, int name, int value)
{
	prog_call(p, SYS_setsockopt, number, SOL_SOCKET, name, prog_in(p, &value, sizeof(value)),
		  sizeof(value));
}

void inet_stage(struct prog *p, const struct stage_at *at, const Inet *m, int number)
{
	if (at->stage != STAGE_SIGNALS)
		return;
	prog_where(p, "share the port of descriptor %d", number);
	stage_option(p, number, SO_REUSEADDR, option_of(m, SOL_SOCKET, SO_REUSEADDR));
	stage_option(p, number, SO_REUSEPORT, option_of(m, SOL_SOCKET, SO_REUSEPORT));
}
