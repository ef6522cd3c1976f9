/*
 * Packet sockets. sock_diag tells protocol, interface, memberships (promiscuous mode among them),
 * fanout group and whether there are rings; the rest is options. Made without a protocol, so that
 * nothing comes before the filter stands, then bound to the protocol and the interface of the same
 * name. Rings: packet-ring.c. Refused: fanout groups that a program rules, which cannot be read.
 * Lost: packets that wait, but for those in rings; statistics.
 */
#include "packet.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/interface.h"
#include "kernel/packet-diag.h"
#include "sock/packet-ring.h"
#include "sock/socket-options.h"

enum { ADDRESS_BYTES = 32, JOINED_MAX = 1000, FANOUT_TYPE_MASK = 0xff, UNIQUE_ID = 0x2000 };

static bool match(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;

	(void)d;
	return socket_type_of(p, &t) && t.domain == AF_PACKET;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int judge(struct dump *d, struct fd_probe *p, struct packet_diag *ret)
{
	int r = packet_diag_get(&d->arena, (uint32_t)p->st.st_ino, ret);
	uint32_t type;

	if (r == -ENOENT)
		return fd_refuse(d, p, "the kernel tells nothing of its packet socket",
				 "load the module packet_diag");
	if (r)
		return fail(r, "descriptor %d: ask for its packet socket", p->number);
	type = ret->fanout >> 16 & FANOUT_TYPE_MASK;
	if (ret->index == ~0U)
		return fd_refuse(d, p, "the interface of its packet socket is gone",
				 "close it before the dump");
	if (ret->fanout && (type == PACKET_FANOUT_CBPF || type == PACKET_FANOUT_EBPF))
		return fd_refuse(d, p, "a program rules its fanout group (PACKET_FANOUT_DATA)",
				 "close it before the dump");
	return 0;
}

static int look(struct dump *d, struct fd_probe *p)
{
	struct packet_diag q;

	return judge(d, p, &q);
}

static int device_name(struct dump *d, struct fd_probe *p, uint32_t index, char **ret)
{
	char name[IF_NAMESIZE];
	int r = interface_name((int)index, name);

	if (r)
		return fail(r, "descriptor %d: name of interface %" PRIu32, p->number, index);
	*ret = arena_strdup(&d->arena, name);
	return 0;
}

static int dump_members(struct dump *d, struct fd_probe *p, struct packet_diag *q, Packet *m)
{
	m->member = arena_array(&d->arena, PacketMember *, q->member.n);
	vec_foreach(k, &q->member) {
		PacketMember *member = arena_new(&d->arena, PacketMember);
		size_t len = k->len < ADDRESS_BYTES ? k->len : ADDRESS_BYTES;
		int r;

		packet_member__init(member);
		r = device_name(d, p, k->index, &member->device);
		if (r)
			return r;
		member->type = k->type;
		member->count = k->count;
		member->address = (ProtobufCBinaryData){
			len, arena_memdup(&d->arena, k->address, len)
		};
		m->member[m->n_member++] = member;
	}
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	int events = socket_events(p, POLLIN);
	struct packet_diag q;
	struct socket_type type;
	Packet *m = msg;
	int r = events < 0 ? events : judge(d, p, &q);

	if (r)
		return r;
	if (!socket_type_of(p, &type))
		return fail(-EPROTO, "descriptor %d: the kernel does not tell its socket's type",
			    p->number);
	if (events & POLLIN && !q.rx.block_nr)
		log_warn("descriptor %d: packets that wait on its socket are lost", p->number);
	m->inode = p->st.st_ino;
	m->type = (uint32_t)type.type;
	m->protocol = q.protocol;
	m->uid = p->st.st_uid;
	m->gid = p->st.st_gid;
	m->has_fanout = q.fanout != 0;
	m->fanout = q.fanout & ~((uint32_t)UNIQUE_ID << 16);
	m->has_copy_thresh = true;
	m->copy_thresh = q.copy_thresh;
	p->key = arena_printf(&d->arena, "socket:[%" PRIu64 "]", m->inode);
	if (q.index)
		r = device_name(d, p, q.index, &m->device);
	if (!r)
		r = dump_members(d, p, &q, m);
	if (!r)
		r = packet_rings_dump(d, p, &q, m);
	return r ? r : socket_options_dump(d, p, &m->n_option, &m->option);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static int need_device(struct restore *r, const char *name)
{
	if (interface_index(name) != -ENODEV)
		return 0;
	return refuse(&r->blockers, 0, "packet socket",
		      arena_printf(&r->arena, "there is no interface '%s'", name),
		      "make one of this name");
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Packet *m = o->msg;
	bool ok = (m->type == SOCK_RAW || m->type == SOCK_DGRAM || m->type == SOCK_PACKET) &&
		  m->protocol <= UINT16_MAX;
	int e;

	for (size_t i = 0; i < m->n_member; i++)
		ok = ok && m->member[i]->address.len <= ADDRESS_BYTES &&
		     m->member[i]->count <= JOINED_MAX && m->member[i]->type <= UINT16_MAX;
	if (!ok)
		return fail(-EPROTO, "image 'packet': description %" PRIu32 " is no packet socket",
			    o->id);
	e = socket_options_plan(r, o, m->n_option, m->option);
	if (!e)
		e = packet_rings_plan(r, o, m);
	if (!e && m->device)
		e = need_device(r, m->device);
	for (size_t i = 0; i < m->n_member && !e; i++)
		e = need_device(r, m->member[i]->device);
	return e;
}

/* --- open ----------------------------------------------------------------------------------------
 */

static int join(int fd, const PacketMember *k)
{
	struct {
		int index;
		uint16_t type, len;
		uint8_t address[ADDRESS_BYTES];
	} q = { .index = interface_index(k->device),
		.type = (uint16_t)k->type,
		.len = (uint16_t)k->address.len };
	long r = q.index < 0 ? q.index : 0;

	memcpy(q.address, k->address.data, k->address.len);
	for (uint32_t i = 0; i < k->count && !r; i++)
		r = sys(SYS_setsockopt, fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &q, sizeof(q));
	return r ? fail(r, "join a membership of '%s'", k->device) : 0;
}

static int name_it(int fd, const Packet *m)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons((uint16_t)m->protocol) };
	struct sockaddr old = { .sa_family = AF_PACKET };
	long r;

	if (m->type == SOCK_PACKET && m->device) {
		memcpy(old.sa_data, m->device, strnlen(m->device, sizeof(old.sa_data) - 1));
		r = sys(SYS_bind, fd, &old, sizeof(old));
		return r ? fail(r, "bind a packet socket to '%s'", m->device) : 0;
	}
	a.sll_ifindex = m->device ? interface_index(m->device) : 0;
	if (m->type == SOCK_PACKET || (!a.sll_ifindex && !a.sll_protocol))
		return 0;
	r = a.sll_ifindex < 0 ? a.sll_ifindex : sys(SYS_bind, fd, &a, sizeof(a));
	return r ? fail(r, "bind a packet socket") : 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Packet *m = obj->msg;
	long type = m->type | SOCK_CLOEXEC | (obj->ofd->flags & O_NONBLOCK);
	/* The old type takes its protocol from here alone. */
	long protocol = m->type == SOCK_PACKET ? htons((uint16_t)m->protocol) : 0;
	_close_ int fd = (int)sys(SYS_socket, AF_PACKET, type, protocol);
	int r;

	if (fd < 0)
		return fail(fd, "make a packet socket");
	r = (int)sys(SYS_fchown, fd, m->uid, m->gid);
	if (r)
		return fail(r, "give a socket to user %" PRIu32, m->uid);
	r = socket_options_apply(fd, m->n_option, m->option, SOCKET_FRESH | SOCKET_PORT);
	if (!r)
		r = packet_rings_make(o->r, fd, m);
	if (!r)
		r = socket_options_apply(fd, m->n_option, m->option, SOCKET_READY);
	if (!r)
		r = socket_options_apply(fd, m->n_option, m->option, SOCKET_LAST);
	if (!r && m->copy_thresh)
		r = socket_set_int(fd, SOL_PACKET, PACKET_COPY_THRESH, (int)m->copy_thresh);
	for (size_t i = 0; i < m->n_member && !r; i++)
		r = join(fd, m->member[i]);
	if (!r)
		r = name_it(fd, m);
	if (!r && m->has_fanout) {
		r = socket_set_int(fd, SOL_PACKET, PACKET_FANOUT, (int)m->fanout);
		if (r)
			return fail(r, "join fanout group %" PRIu32, m->fanout & UINT16_MAX);
	}
	return r ? r : take_fd(&fd);
}

const struct fd_kind kind_packet = { .name = "packet",
				     .descriptor = &packet__descriptor,
				     .match = match,
				     .look = look,
				     .dump = dump,
				     .plan = plan,
				     .open = open_fd };
