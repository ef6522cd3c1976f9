/*
 * Socket options, by the table of socket-option-table.c. Everything that getsockopt(2) tells about
 * the copy of the target's socket is kept, byte by byte; options that the family or the kernel
 * lacks are left out. On restore a value is set where the socket has another one: a few cannot even
 * be set to what they are. Buffer sizes are set past the system's limits, and whether the program
 * had set them (which stops the kernel's own tuning) is an option itself since 5.14. A filter is
 * kept among them.
 */
#include "sock/socket-options.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "kernel/descriptor.h"
#include "sock/socket-filter.h"

enum { NETLINK_LEVEL = 270, RAW_LEVEL = 255, MPTCP_PROTOCOL = 262, ROOM_BYTES = 1 << 29 };

static long ask(int fd, const struct socket_option_row *row, void *value, uint32_t *len)
{
	return sys(SYS_getsockopt, fd, row->level, row->name, value, len);
}

long socket_int(int fd, int level, int name)
{
	int value = -1;
	uint32_t len = sizeof(value);
	long r = sys(SYS_getsockopt, fd, level, name, &value, &len);

	return r ? r : value;
}

int socket_set_int(int fd, int level, int name, int value)
{
	return (int)sys(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

int socket_events(const struct fd_probe *p, short events)
{
	struct pollfd look = { p->fd, events, 0 };
	long r = sys(SYS_poll, &look, 1, 0);

	return r < 0 ? fail(r, "descriptor %d: ask what happened to its socket", p->number)
		     : look.revents;
}

bool socket_type_of(const struct fd_probe *p, struct socket_type *ret)
{
	if (!S_ISSOCK(p->st.st_mode) || p->flags & O_PATH)
		return false;
	ret->domain = (int)socket_int(p->fd, SOL_SOCKET, SO_DOMAIN);
	ret->type = (int)socket_int(p->fd, SOL_SOCKET, SO_TYPE);
	ret->protocol = (int)socket_int(p->fd, SOL_SOCKET, SO_PROTOCOL);
	return ret->domain > 0 && ret->type > 0 && ret->protocol >= 0;
}

static bool applies(int level, const struct socket_type *t)
{
	bool inet = t->domain == AF_INET, inet6 = t->domain == AF_INET6;
	bool ip = inet || inet6;

	switch (level) {
	case SOL_SOCKET:
		return true;
	case IPPROTO_IP:
		return inet || (inet6 && t->type != SOCK_RAW);
	case IPPROTO_IPV6:
		return inet6;
	case IPPROTO_TCP:
		return ip && (t->protocol == IPPROTO_TCP || t->protocol == MPTCP_PROTOCOL);
	case IPPROTO_UDP:
		return ip && t->type == SOCK_DGRAM &&
		       (t->protocol == IPPROTO_UDP || t->protocol == IPPROTO_UDPLITE);
	case IPPROTO_UDPLITE:
		return ip && t->type == SOCK_DGRAM && t->protocol == IPPROTO_UDPLITE;
	case RAW_LEVEL:
		return inet && t->type == SOCK_RAW && t->protocol == IPPROTO_ICMP;
	case IPPROTO_ICMPV6:
		return inet6 && t->type == SOCK_RAW && t->protocol == IPPROTO_ICMPV6;
	case NETLINK_LEVEL:
		return t->domain == AF_NETLINK;
	case SOL_PACKET:
		return t->domain == AF_PACKET;
	default:
		return false;
	}
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static void add(struct dump *d, size_t *n, SocketOption ***list, const SocketOption *o)
{
	SocketOption *copy = arena_memdup(&d->arena, o, sizeof(*o));

	copy->value.data = arena_memdup(&d->arena, o->value.data, o->value.len);
	*list = arena_grow(&d->arena, *list, *n * sizeof(copy), (*n + 1) * sizeof(copy));
	(*list)[(*n)++] = copy;
}

/* Or was, before it was closed: 1, 0, -errno. */
static int is_connected(int fd)
{
	sa_family_t family;
	uint32_t len = sizeof(family);
	int r = (int)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERNAME, &family, &len);

	return r == -ENOTCONN ? 0 : r ? r : 1;
}

/* Streams cannot set them; accepted ones show what the first packet had. */
static bool is_multicast(const struct socket_option_row *row)
{
	return (row->level == IPPROTO_IP &&
		(row->name == IP_MULTICAST_IF || row->name == IP_MULTICAST_TTL)) ||
	       (row->level == IPPROTO_IPV6 &&
		(row->name == IPV6_MULTICAST_IF || row->name == IPV6_MULTICAST_HOPS));
}

/* 1: there is a value, 0: there is none. */
static int ask_one(struct dump *d, struct fd_probe *p, const struct socket_option_row *row,
		   SocketOption *o)
{
	uint32_t len = row->bytes;
	long r = ask(p->fd, row, o->value.data, &len);

	if (r == -EOPNOTSUPP || r == -ENOPROTOOPT || r == -ENOTSUP)
		return 0; /* not of this family or kernel */
	if (r)
		return fail(r, "descriptor %d: ask for %s", p->number, row->text);
	if (len > row->bytes)
		return fail(-EPROTO, "descriptor %d: %s has %" PRIu32 " bytes", p->number,
			    row->text, len);
	r = row->trait == SOCKET_UNCONNECTED ? is_connected(p->fd) : 0;
	if (r)
		return r < 0 ? fail(r, "descriptor %d: ask whether it is connected", p->number) : 0;
	if (row->trait == SOCKET_REFUSED)
		return len && o->value.data[0]
			       ? fd_refuse(d, p,
					   arena_printf(&d->arena, "it uses %s '%.*s'", row->text,
							(int)len, (const char *)o->value.data),
					   "close it before the dump")
			       : 0;
	o->value.len = len;
	return 1;
}

static int dump_filter(struct dump *d, struct fd_probe *p, size_t *ret_n, SocketOption ***ret)
{
	SocketOption o = SOCKET_OPTION__INIT;
	int r = socket_filter_dump(d, p, &o.value);

	o.level = SOL_SOCKET;
	o.name = SO_ATTACH_FILTER;
	if (!r && o.value.len)
		add(d, ret_n, ret, &o);
	return r;
}

int socket_options_dump(struct dump *d, struct fd_probe *p, size_t *ret_n, SocketOption ***ret)
{
	uint8_t value[SOCKET_OPTION_BYTES];
	struct socket_type t;

	if (!socket_type_of(p, &t))
		return fail(-EPROTO, "descriptor %d: the kernel does not tell its socket's type",
			    p->number);
	for (const struct socket_option_row *row = socket_option_table; row->text; row++) {
		SocketOption o = SOCKET_OPTION__INIT;

		if (!applies(row->level, &t) || (t.type == SOCK_STREAM && is_multicast(row)) ||
		    (t.protocol == MPTCP_PROTOCOL && row->trait == SOCKET_REFUSED)) /* its own */
			continue;
		o.level = row->level;
		o.name = row->name;
		o.value.data = value;
		int r = ask_one(d, p, row, &o);
		if (r < 0)
			return r;
		if (r)
			add(d, ret_n, ret, &o);
	}
	return dump_filter(d, p, ret_n, ret);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static const struct socket_option_row *row_of(const SocketOption *o)
{
	for (const struct socket_option_row *row = socket_option_table; row->text; row++)
		if (row->level == o->level && row->name == o->name)
			return row;
	return NULL;
}

static bool is_filter(const SocketOption *o)
{
	return o->level == SOL_SOCKET && o->name == SO_ATTACH_FILTER && o->value.len &&
	       o->value.len <= FILTER_BYTES_MAX && !(o->value.len % FILTER_INSTRUCTION_BYTES);
}

int socket_options_plan(struct restore *r, const struct fd_obj *o, size_t n,
			SocketOption *const *option)
{
	(void)r;
	for (size_t i = 0; i < n; i++) {
		const struct socket_option_row *row = row_of(option[i]);

		if (is_filter(option[i]))
			continue;
		if (!row)
			return fail(-EPROTO,
				    "image '%s': description %" PRIu32 " has a socket option %d:%d "
				    "that this version does not know",
				    o->kind->name, o->id, option[i]->level, option[i]->name);
		if (option[i]->value.len > row->bytes)
			return fail(-EPROTO,
				    "image '%s': description %" PRIu32 " has %zu bytes of %s",
				    o->kind->name, o->id, option[i]->value.len, row->text);
	}
	return 0;
}

int socket_option_int(size_t n, SocketOption *const *option, const int level_name[2], int otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (option[i]->level == level_name[0] && option[i]->name == level_name[1] &&
		    option[i]->value.len == sizeof(int))
			memcpy(&otherwise, option[i]->value.data, sizeof(int));
	return otherwise;
}

/* --- restore -------------------------------------------------------------------------------------
 */

static int set_buffer(int fd, const SocketOption *o)
{
	int value = socket_option_int(1, (SocketOption *const[]){ (SocketOption *)o },
				      (const int[]){ o->level, o->name }, 0);

	return socket_set_int(fd, SOL_SOCKET,
			      o->name == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, value / 2);
}

static bool is_set(int fd, const struct socket_option_row *row, const SocketOption *o)
{
	char value[SOCKET_OPTION_BYTES];
	uint32_t len = row->bytes;

	return !ask(fd, row, value, &len) && len == o->value.len &&
	       !memcmp(value, o->value.data, len);
}

static int apply_one(int fd, const SocketOption *o, unsigned int when)
{
	const struct socket_option_row *row = row_of(o);
	long r;

	if (is_filter(o))
		return when & SOCKET_READY ? socket_filter_attach(fd, &o->value) : 0;
	if (!row || o->value.len > row->bytes)
		return fail(-EPROTO, "socket option %d:%d has no such value", o->level, o->name);
	if (!(row->when & when) || is_set(fd, row, o))
		return 0;
	if (row->trait == SOCKET_BUFFER)
		r = set_buffer(fd, o);
	else
		r = sys(SYS_setsockopt, fd, o->level, o->name, o->value.data, o->value.len);
	return r ? fail(r, "set socket option %s", row->text) : 0;
}

int socket_options_apply(int fd, size_t n, SocketOption *const *option, unsigned int when)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = apply_one(fd, option[i], when);
	return r;
}

int socket_options_restore(int fd, size_t n, SocketOption *const *option)
{
	int r = socket_options_apply(fd, n, option, SOCKET_FRESH | SOCKET_PORT);

	if (!r)
		r = socket_options_apply(fd, n, option, SOCKET_READY);
	return r ? r : socket_options_apply(fd, n, option, SOCKET_LAST);
}

int socket_buffers_enlarge(int fd)
{
	int r = socket_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, ROOM_BYTES);

	if (!r)
		r = socket_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, ROOM_BYTES);
	return r ? fail(r, "make room in the buffers of a socket") : 0;
}
