/*
 * Records of sockets from images that somebody changed: each is spoilt in one way and must be
 * refused by the plan; the records as they should be pass. No root.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "core/file/file.h"
#include "netlink.pb-c.h"
#include "packet.pb-c.h"
#include "raw.pb-c.h"
#include "socket.pb-c.h"
#include "udp.pb-c.h"

extern const struct fd_kind kind_udp, kind_raw, kind_netlink, kind_packet, kind_socket;
const struct fd_kind *const fd_kinds[] = { NULL };
const struct task_kind *const task_kinds[] = { NULL };
struct mem_kind;
extern const struct mem_kind *const mem_kinds[];
const struct mem_kind *const mem_kinds[] = { NULL };

/* Everything that belongs to one set of records. */
struct records {
	uint8_t address[16], value[8];
	SocketOption option, *options[1];
	InetName local, from, group, source, *sources[1];
	InetMember member, *members[1];
	UdpDatagram datagram, *queue[1];
	Inet inet;
	Udp udp;
	Raw raw;
	Netlink netlink;
	uint32_t netlink_group;
	Packet packet;
	PacketRing ring;
	PacketMember packet_member, *packet_members[1];
	Socket socket;
};

static void name(InetName *n, struct records *k, uint8_t first)
{
	inet_name__init(n);
	n->family = AF_INET;
	n->address = (ProtobufCBinaryData){ 4, k->address };
	k->address[0] = first;
}

static void make_inet(struct records *k)
{
	socket_option__init(&k->option);
	k->option.level = SOL_SOCKET;
	k->option.name = SO_PRIORITY;
	k->option.value = (ProtobufCBinaryData){ 4, k->value };
	k->options[0] = &k->option;
	name(&k->local, k, 127);
	name(&k->from, k, 127);
	name(&k->group, k, 127);
	name(&k->source, k, 127);
	inet_member__init(&k->member);
	k->member.group = &k->group;
	k->member.device = (char *)"lo";
	k->member.n_source = 1;
	k->member.source = k->sources;
	k->sources[0] = &k->source;
	k->members[0] = &k->member;
	inet__init(&k->inet);
	k->inet.family = AF_INET;
	k->inet.type = SOCK_DGRAM;
	k->inet.protocol = IPPROTO_UDP;
	k->inet.local = &k->local;
	k->inet.n_option = k->inet.n_member = 1;
	k->inet.option = k->options;
	k->inet.member = k->members;
}

static void make_records(struct records *k)
{
	make_inet(k);
	udp_datagram__init(&k->datagram);
	k->datagram.from = &k->from;
	k->queue[0] = &k->datagram;
	udp__init(&k->udp);
	k->udp.inet = &k->inet;
	k->udp.n_queue = 1;
	k->udp.queue = k->queue;
	raw__init(&k->raw);
	k->raw.inet = &k->inet;
	netlink__init(&k->netlink);
	k->netlink.type = SOCK_RAW;
	k->netlink_group = 1;
	k->netlink.n_group = 1;
	k->netlink.group = &k->netlink_group;
	packet__init(&k->packet);
	packet_member__init(&k->packet_member);
	k->packet.type = SOCK_DGRAM;
	k->packet.n_member = 1;
	k->packet.member = k->packet_members;
	k->packet_members[0] = &k->packet_member;
	k->packet_member.device = (char *)"lo";
	k->packet_member.address = (ProtobufCBinaryData){ 6, k->address };
	socket__init(&k->socket);
	k->socket.family = AF_VSOCK;
	k->socket.type = SOCK_STREAM;
}

static void none(struct records *k)
{
	(void)k;
}
static void short_address(struct records *k)
{
	k->local.address.len = 3;
}
static void other_family(struct records *k)
{
	k->local.family = AF_INET6;
}
static void large_port(struct records *k)
{
	k->local.port = 65536;
}
static void no_ip(struct records *k)
{
	k->inet.family = AF_UNIX;
}
static void stream(struct records *k)
{
	k->inet.type = SOCK_STREAM;
}
static void long_option(struct records *k)
{
	k->option.value.len = 5;
}
static void unknown_option(struct records *k)
{
	k->option.name = 9999;
}
static void odd_filter(struct records *k)
{
	k->option.name = SO_ATTACH_FILTER;
}
static void short_sender(struct records *k)
{
	k->from.address.len = 0;
}
static void long_datagram(struct records *k)
{
	k->datagram.bytes.len = 65535;
}
static void odd_target(struct records *k)
{
	k->datagram.has_to = 1;
	k->datagram.to.len = 5;
}
static void shut_more(struct records *k)
{
	k->udp.shutdown = k->raw.shutdown = 4;
}
static void short_group(struct records *k)
{
	k->group.address.len = 2;
}
static void many_sources(struct records *k)
{
	k->member.n_source = 1 << 20;
}
static void other_source(struct records *k)
{
	k->source.family = AF_INET6;
	k->source.address.len = 16;
}
static void raw_one(struct records *k)
{
	k->inet.type = SOCK_RAW;
	k->inet.protocol = 99;
}
static void netlink_group(struct records *k)
{
	k->netlink_group = 1 << 20;
}
static void netlink_protocol(struct records *k)
{
	k->netlink.protocol = 77;
}
static void packet_address(struct records *k)
{
	k->packet_member.address.len = 33;
}
static void ring_of(struct records *k, uint32_t block_size, uint32_t frame_nr)
{
	packet_ring__init(&k->ring);
	k->ring.block_size = block_size;
	k->ring.block_nr = 2;
	k->ring.frame_size = 2048;
	k->ring.frame_nr = frame_nr;
	k->packet.rx = &k->ring;
	k->packet.protocol = 3;
	k->packet.has_content = 1;
}
static void ring_size(struct records *k)
{
	ring_of(k, 1U << 31, 1U << 21);
}
static void ring_frames(struct records *k)
{
	ring_of(k, 4096, 5);
}
static void ring_head(struct records *k)
{
	ring_of(k, 4096, 4);
	k->ring.head = 4;
}
static void ring_version(struct records *k)
{
	ring_of(k, 4096, 4);
	k->ring.has_retire_ms = 1;
}
static void packet_count(struct records *k)
{
	k->packet_member.count = 1 << 30;
}
static void socket_family(struct records *k)
{
	k->socket.family = AF_UNIX;
}

static const struct {
	const char *text;
	const struct fd_kind *kind;
	size_t record;
	void (*spoil)(struct records *k);
	int result;
} cases[] = {
#define OF(kind) &kind_##kind, offsetof(struct records, kind)
	{ "udp", OF(udp), none, 0 },
	{ "a short address", OF(udp), short_address, -EPROTO },
	{ "a name of another family", OF(udp), other_family, -EPROTO },
	{ "a port beyond 65535", OF(udp), large_port, -EPROTO },
	{ "a family that is not IP", OF(udp), no_ip, -EPROTO },
	{ "a stream among datagrams", OF(udp), stream, -EPROTO },
	{ "an option that is too long", OF(udp), long_option, -EPROTO },
	{ "an option nobody knows", OF(udp), unknown_option, -EPROTO },
	{ "half an instruction", OF(udp), odd_filter, -EPROTO },
	{ "a sender without address", OF(udp), short_sender, -EPROTO },
	{ "a datagram that is too long", OF(udp), long_datagram, -EPROTO },
	{ "a target of five bytes", OF(udp), odd_target, -EPROTO },
	{ "a third direction", OF(udp), shut_more, -EPROTO },
	{ "a short group", OF(udp), short_group, -EPROTO },
	{ "too many sources", OF(udp), many_sources, -EPROTO },
	{ "a source of another family", OF(udp), other_source, -EPROTO },
	{ "raw", OF(raw), raw_one, 0 },
	{ "a datagram socket among raw ones", OF(raw), none, -EPROTO },
	{ "netlink", OF(netlink), none, 0 },
	{ "a netlink group beyond all", OF(netlink), netlink_group, -EPROTO },
	{ "a netlink protocol beyond all", OF(netlink), netlink_protocol, -EPROTO },
	{ "packet", OF(packet), none, 0 },
	{ "an address of 33 bytes", OF(packet), packet_address, -EPROTO },
	{ "joined without end", OF(packet), packet_count, -EPROTO },
	{ "a ring of 4 GiB", OF(packet), ring_size, -EPROTO },
	{ "a ring of too many frames", OF(packet), ring_frames, -EPROTO },
	{ "the kernel behind its ring", OF(packet), ring_head, -EPROTO },
	{ "a ring of another version", OF(packet), ring_version, -EPROTO },
	{ "vsock", OF(socket), none, 0 },
	{ "unix as any socket", OF(socket), socket_family, -EPROTO },
};

int main(void)
{
	size_t failed = 0;

	log_setup(&(struct log_config){ .fd = open("/dev/null", O_WRONLY), .level = LOG_ERROR });
	for (size_t i = 0; i < array_size(cases); i++) {
		struct restore *r = &(struct restore){ 0 };
		struct records k = { 0 };
		struct fd_obj o = { .kind = cases[i].kind, .msg = (char *)&k + cases[i].record };
		bool ok;

		arena_init(&r->arena);
		blockers_init(&r->blockers, &r->arena);
		make_records(&k);
		cases[i].spoil(&k);
		ok = cases[i].kind->plan(r, &o) == cases[i].result;
		(void)printf("%s: %s\n", ok ? "ok" : "FAIL", cases[i].text);
		failed += !ok;
		arena_deinit(&r->arena);
	}
	(void)printf("%zu passed, %zu failed, 0 skipped\n", array_size(cases) - failed, failed);
	return failed != 0;
}
