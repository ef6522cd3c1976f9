/*
 * Memberships of multicast groups. No call lists those of a socket, but the source filter of a
 * group (MCAST_MSFILTER) is told to its members only, per interface. So every group that anybody in
 * the network namespace has joined (/proc/net/igmp, igmp6) is tried on the socket. Back: joined on
 * the interface of the same name, then the filter is set. IPv6 sockets may have IPv4 groups too.
 * Not told by anything: anycast addresses (IPV6_JOIN_ANYCAST).
 */
#include "sock/inet-member.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/io.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/interface.h"
#include "sock/inet.h"

enum { SOURCES_MAX = 256 };

struct filter { /* the kernel's struct group_filter */
	uint32_t interface;
	struct sockaddr_storage group;
	uint32_t mode, n;
	struct sockaddr_storage source[SOURCES_MAX];
};
_Static_assert(offsetof(struct filter, source) == 144, "layout of struct group_filter");

static int level_of(uint32_t family)
{
	return family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static InetName *name_of(struct arena *a, const struct sockaddr_storage *from)
{
	return inet_name(a, (const union inet_address *)from);
}

static int add_member(struct dump *d, struct fd_probe *p, Inet *m, const struct filter *f)
{
	InetMember *member = arena_new(&d->arena, InetMember);
	char device[IF_NAMESIZE];
	int r = interface_name((int)f->interface, device);

	if (r)
		return fail(r, "descriptor %d: name of interface %" PRIu32, p->number,
			    f->interface);
	inet_member__init(member);
	member->group = name_of(&d->arena, &f->group);
	member->device = arena_strdup(&d->arena, device);
	member->has_exclude = true;
	member->exclude = f->mode == MCAST_EXCLUDE;
	member->n_source = f->n;
	member->source = arena_array(&d->arena, InetName *, f->n);
	for (uint32_t i = 0; i < f->n; i++)
		member->source[i] = name_of(&d->arena, &f->source[i]);
	m->member = arena_grow(&d->arena, m->member, m->n_member * sizeof(member),
			       (m->n_member + 1) * sizeof(member));
	m->member[m->n_member++] = member;
	return 0;
}

/* f: interface and group are set. */
static int try_group(struct dump *d, struct fd_probe *p, Inet *m, struct filter *f)
{
	uint32_t len = sizeof(*f);
	long r;

	f->n = SOURCES_MAX;
	for (size_t i = 0; i < m->n_member; i++) { /* groups are listed more than once */
		const InetName *old = m->member[i]->group;
		union inet_address a;

		(void)inet_address(old, &a);
		if (interface_index(m->member[i]->device) == (int)f->interface &&
		    !memcmp(&a, &f->group, sizeof(struct sockaddr_in6)))
			return 0;
	}
	r = sys(SYS_getsockopt, p->fd, level_of(f->group.ss_family), MCAST_MSFILTER, f, &len);
	if (r == -EADDRNOTAVAIL || r == -ENOPROTOOPT || r == -EOPNOTSUPP)
		return 0; /* not a member, or not of this family */
	if (r)
		return fail(r, "descriptor %d: ask whether it is in a group", p->number);
	if (f->n > SOURCES_MAX)
		return fd_refuse(d, p, "it filters more than 256 sources of a multicast group",
				 "leave the group before the dump");
	return add_member(d, p, m, f);
}

/* "2  eth0 : 1 V3" begins an interface, "\t010000E0 1 0:00000000 0" is a group of it. */
static int try_ipv4(struct dump *d, struct fd_probe *p, Inet *m, struct span text)
{
	struct span line, word;
	uint64_t interface = 0, group;
	int r = 0;

	while (!r && span_line(&text, &line)) {
		bool is_group = line.len && line.p[0] == '\t';
		struct filter f = { 0 };
		struct sockaddr_in *a = (struct sockaddr_in *)&f.group;

		if (!span_word(&line, &word))
			continue;
		if (!is_group)
			(void)span_u64(word, 10, &interface); /* the first line has none */
		if (!is_group || span_u64(word, 16, &group))
			continue;
		f.interface = (uint32_t)interface;
		a->sin_family = AF_INET;
		a->sin_addr.s_addr = (uint32_t)group; /* printed as a number of this machine */
		r = try_group(d, p, m, &f);
	}
	return r;
}

static int hex_address(struct span word, uint8_t ret[16])
{
	for (size_t i = 0; i < 16; i++) {
		uint64_t byte;

		if (word.len != 32 || span_u64((struct span){ word.p + 2 * i, 2 }, 16, &byte))
			return -EINVAL;
		ret[i] = (uint8_t)byte;
	}
	return 0;
}

/* "2    eth0            ff020000000000000000000000000001     1 0000000C 0" */
static int try_ipv6(struct dump *d, struct fd_probe *p, Inet *m, struct span text)
{
	struct span line, index, word;
	int r = 0;

	while (!r && span_line(&text, &line)) {
		struct filter f = { 0 };
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)&f.group;
		uint64_t interface;

		if (!span_word(&line, &index) || !span_word(&line, &word) ||
		    !span_word(&line, &word) || span_u64(index, 10, &interface) ||
		    hex_address(word, a->sin6_addr.s6_addr))
			continue;
		f.interface = (uint32_t)interface;
		a->sin6_family = AF_INET6;
		r = try_group(d, p, m, &f);
	}
	return r;
}

/* Kernels without multicast have no such file. */
static int read_groups(struct dump *d, const char *path, struct span *ret)
{
	int r = io_slurp_at(&d->arena, AT_FDCWD, path, ret);

	if (r == -ENOENT) {
		*ret = (struct span){ "", 0 };
		return 0;
	}
	return r ? fail(r, "read '%s'", path) : 0;
}

int inet_members_dump(struct dump *d, struct fd_probe *p, Inet *m)
{
	struct span text;
	int r;

	if (m->type == SOCK_STREAM)
		return 0; /* cannot join */
	r = read_groups(d, "/proc/net/igmp", &text);
	if (!r)
		r = try_ipv4(d, p, m, text);
	if (r || m->family != AF_INET6)
		return r;
	r = read_groups(d, "/proc/net/igmp6", &text);
	return r ? r : try_ipv6(d, p, m, text);
}

/* --- restore -------------------------------------------------------------------------------------
 */

int inet_members_plan(struct restore *r, const struct fd_obj *o, const Inet *m)
{
	int e = 0;

	for (size_t i = 0; i < m->n_member; i++) {
		const InetMember *k = m->member[i];
		bool ok = inet_name_ok(k->group) && k->n_source <= SOURCES_MAX;

		for (size_t j = 0; ok && j < k->n_source; j++)
			ok = inet_name_ok(k->source[j]) &&
			     k->source[j]->family == k->group->family;
		if (!ok)
			return fail(-EPROTO,
				    "image '%s': description %" PRIu32 " has an impossible group",
				    o->kind->name, o->id);
		if (interface_index(k->device) == -ENODEV)
			e = refuse(&r->blockers, 0,
				   arena_printf(&r->arena, "%s socket in the group %s",
						o->kind->name, inet_text(&r->arena, k->group)),
				   arena_printf(&r->arena, "there is no interface '%s'", k->device),
				   "make one of this name");
	}
	return e;
}

static int join(int fd, const InetMember *k)
{
	union inet_address *group, *source;
	struct filter f = { .mode = k->exclude ? MCAST_EXCLUDE : MCAST_INCLUDE,
			    .n = (uint32_t)k->n_source };
	int index = interface_index(k->device), level = level_of(k->group->family);
	long r;

	if (index < 0)
		return fail(index, "find the interface '%s'", k->device);
	f.interface = (uint32_t)index;
	group = (union inet_address *)&f.group;
	(void)inet_address(k->group, group);
	for (size_t i = 0; i < k->n_source; i++) {
		source = (union inet_address *)&f.source[i];
		(void)inet_address(k->source[i], source);
	}
	/* struct group_req is the beginning of struct group_filter */
	r = sys(SYS_setsockopt, fd, level, MCAST_JOIN_GROUP, &f, sizeof(struct group_req));
	if (!r && (!k->exclude || k->n_source))
		r = sys(SYS_setsockopt, fd, level, MCAST_MSFILTER, &f,
			offsetof(struct filter, source) + k->n_source * sizeof(f.source[0]));
	return r ? fail(r, "join a multicast group on '%s'", k->device) : 0;
}

int inet_members_join(int fd, const Inet *m)
{
	int r = 0;

	for (size_t i = 0; i < m->n_member && !r; i++)
		r = join(fd, m->member[i]);
	return r;
}
