/*
 * Sockets: unix pairs and names, with data and descriptors under way, internet sockets on loopback,
 * netlink, raw and packet sockets.
 */
#include "factory.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

static void make_stream(struct object *o)
{
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, o->fd));
	stream_put(o->fd[0], 3000, o->seed);
	stream_put(o->fd[1], 40, o->seed + 1);
}

static void check_stream(struct object *o)
{
	stream_expect(o->fd[1], 3000, o->seed);
	stream_expect(o->fd[0], 40, o->seed + 1);
	check(!close(o->fd[0]) && read(o->fd[1], &(char){0}, 1) == 0);
}

static void make_half_closed(struct object *o)
{
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, o->fd));
	stream_put(o->fd[0], 100, o->seed);
	must(shutdown(o->fd[0], SHUT_WR));
}

static void check_half_closed(struct object *o)
{
	stream_expect(o->fd[1], 100, o->seed);
	check(read(o->fd[1], &(char){0}, 1) == 0);
	stream_put(o->fd[1], 10, o->seed);
	stream_expect(o->fd[0], 10, o->seed);
}

/* Only one end is left. */
static void make_orphan(struct object *o)
{
	int fd[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd));
	stream_put(fd[1], 100, o->seed);
	must(close(fd[1]));
	o->fd[0] = fd[0];
}

static void check_orphan(struct object *o)
{
	stream_expect(o->fd[0], 100, o->seed);
	check(read(o->fd[0], &(char){0}, 1) == 0);
}

static void make_packets(struct object *o, int type)
{
	must(socketpair(AF_UNIX, type, 0, o->fd));
	stream_put(o->fd[0], 10, o->seed);
	stream_put(o->fd[0], 2000, o->seed + 1);
	must(setsockopt(o->fd[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, 4));
}

static void make_seqpacket(struct object *o)
{
	make_packets(o, SOCK_SEQPACKET);
}
static void make_dgram(struct object *o)
{
	make_packets(o, SOCK_DGRAM);
}

static void check_packets(struct object *o)
{
	char buf[4096];
	int on = 0;

	check(!getsockopt(o->fd[1], SOL_SOCKET, SO_PASSCRED, &on, &(socklen_t){4}) && on);
	check(read(o->fd[1], buf, sizeof(buf)) == 10 && pattern_ok(buf, 10, o->seed));
	check(read(o->fd[1], buf, sizeof(buf)) == 2000 && pattern_ok(buf, 2000, o->seed + 1));
}

static struct sockaddr_un unix_name(const struct object *o, bool abstract)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path + abstract, sizeof(a.sun_path) - 1, "%s-%d", o->name,
		 abstract ? (int)o->note[0] : 0);
	return a;
}

static int unix_connect(const struct object *o, bool abstract)
{
	struct sockaddr_un a = unix_name(o, abstract);
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	return connect(fd, (void *)&a, sizeof(a)) ? -errno : fd;
}

/* fd: 0 the listener, 1 a connection that nobody accepted yet. */
static void make_listener(struct object *o, bool abstract)
{
	struct sockaddr_un a;

	/* Abstract names are shared by all tests that run now. */
	must(getrandom(&o->note[0], sizeof(int), 0));
	a = unix_name(o, abstract);
	o->fd[0] = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(o->fd[0], (void *)&a, sizeof(a)));
	must(listen(o->fd[0], 5));
	o->fd[1] = must(unix_connect(o, abstract));
	stream_put(o->fd[1], 30, o->seed);
}

static void check_listener(struct object *o, bool abstract)
{
	int fd = accept(o->fd[0], NULL, NULL), more;

	check(fd >= 0);
	stream_expect(fd, 30, o->seed);
	more = unix_connect(o, abstract);
	check(more >= 0 && accept(o->fd[0], NULL, NULL) >= 0, "%d", more);
}

static void make_path_listener(struct object *o)
{
	make_listener(o, false);
}
static void check_path_listener(struct object *o)
{
	check_listener(o, false);
}
static void make_abstract_listener(struct object *o)
{
	make_listener(o, true);
}
static void check_abstract_listener(struct object *o)
{
	check_listener(o, true);
}

static int unix_bound(struct object *o, int type, const char *who)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = must(socket(AF_UNIX, type, 0));

	must(getrandom(&o->note[0], sizeof(int), 0));
	snprintf(o->name, sizeof(o->name), "%s-%lx", who, o->note[0]);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", o->name);
	must(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

static int unix_to(const struct object *o, int type)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = must(socket(AF_UNIX, type, 0));

	memcpy(a.sun_path, o->name, sizeof(o->name));
	must(connect(fd, (void *)&a, sizeof(a)));
	return fd;
}

static void check_unix_name(int fd, const char *name)
{
	struct sockaddr_un a = {0};

	check(!getsockname(fd, (void *)&a, &(socklen_t){sizeof(a)}) && !strcmp(a.sun_path, name),
	      "'%s'", a.sun_path);
}

/* fd: 0 the receiver, 1 who is connected to it. */
static void make_receiver(struct object *o)
{
	o->fd[0] = unix_bound(o, SOCK_DGRAM, "receiver");
	o->fd[1] = unix_to(o, SOCK_DGRAM);
	stream_put(o->fd[1], 300, o->seed);
}

static void check_receiver(struct object *o)
{
	check_unix_name(o->fd[0], o->name);
	stream_expect(o->fd[0], 300, o->seed);
	stream_put(o->fd[1], 20, o->seed);
	stream_expect(o->fd[0], 20, o->seed);
}

/* fd: 0 a listener whose file is gone, 1 a client, 2 its other end. */
static void make_unix_ghost(struct object *o)
{
	o->fd[0] = unix_bound(o, SOCK_SEQPACKET, "ghost");
	must(listen(o->fd[0], 3));
	o->fd[1] = unix_to(o, SOCK_SEQPACKET);
	o->fd[2] = must(accept(o->fd[0], NULL, NULL));
	must(unlink(o->name));
	stream_put(o->fd[1], 100, o->seed);
}

static void check_unix_ghost(struct object *o)
{
	check(access(o->name, F_OK) && errno == ENOENT);
	check_unix_name(o->fd[0], o->name);
	check_unix_name(o->fd[2], o->name);
	stream_expect(o->fd[2], 100, o->seed);
	stream_put(o->fd[2], 50, o->seed);
	stream_expect(o->fd[1], 50, o->seed);
}

static void make_urgent(struct object *o)
{
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, o->fd));
	stream_put(o->fd[0], 100, o->seed);
	must(send(o->fd[0], "!", 1, MSG_OOB));
	stream_put(o->fd[0], 10, o->seed);
}

static void check_urgent(struct object *o)
{
	char byte = 0;

	stream_expect(o->fd[1], 100, o->seed);
	check(recv(o->fd[1], &byte, 1, MSG_OOB) == 1 && byte == '!', "%d", errno);
	stream_expect(o->fd[1], 10, o->seed);
}

static void make_rights(struct object *o)
{
	char space[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {"r", 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space,
			     .msg_controllen = sizeof(space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pipe_fd[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, o->fd));
	must(pipe(pipe_fd));
	stream_put(pipe_fd[1], 50, o->seed);
	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS,
			      .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(c), &pipe_fd[0], sizeof(int));
	must(sendmsg(o->fd[0], &msg, 0));
	must(close(pipe_fd[0]) | close(pipe_fd[1]));
}

static void check_rights(struct object *o)
{
	char space[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space,
			     .msg_controllen = sizeof(space)};
	int fd = -1;

	check(recvmsg(o->fd[1], &msg, 0) == 1 && byte == 'r' && CMSG_FIRSTHDR(&msg));
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	stream_expect(fd, 50, o->seed);
}

static int inet_bound(int type, struct sockaddr_in *ret_name)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = must(socket(AF_INET, type, 0));

	must(bind(fd, (void *)&a, sizeof(a)));
	must(getsockname(fd, (void *)ret_name, &(socklen_t){sizeof(*ret_name)}));
	return fd;
}

static void make_udp(struct object *o)
{
	struct sockaddr_in a;

	o->fd[0] = inet_bound(SOCK_DGRAM, &a);
	o->note[0] = a.sin_port;
	must(setsockopt(o->fd[0], SOL_SOCKET, SO_RCVBUF, &(int){100000}, 4));
	o->fd[1] = must(socket(AF_INET, SOCK_DGRAM, 0));
	must(connect(o->fd[1], (void *)&a, sizeof(a)));
}

static void check_udp(struct object *o)
{
	struct sockaddr_in a;
	int size = 0;

	check(!getsockname(o->fd[0], (void *)&a, &(socklen_t){sizeof(a)}) &&
	      a.sin_port == o->note[0]);
	check(!getsockopt(o->fd[0], SOL_SOCKET, SO_RCVBUF, &size, &(socklen_t){4}) &&
		      size == 200000,
	      "%d", size);
	stream_put(o->fd[1], 20, o->seed);
	stream_expect(o->fd[0], 20, o->seed);
}

/* fd: 0 bound to all addresses, two datagrams wait; 1 connected to it. */
static void make_udp6(struct object *o)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6};

	o->fd[0] = must(socket(AF_INET6, SOCK_DGRAM, 0));
	must(setsockopt(o->fd[0], IPPROTO_IPV6, IPV6_RECVTCLASS, &(int){1}, 4));
	must(bind(o->fd[0], (void *)&a, sizeof(a)));
	must(getsockname(o->fd[0], (void *)&a, &(socklen_t){sizeof(a)}));
	o->note[0] = a.sin6_port;
	a.sin6_addr = in6addr_loopback;
	o->fd[1] = must(socket(AF_INET6, SOCK_DGRAM, 0));
	must(connect(o->fd[1], (void *)&a, sizeof(a)));
	must(getsockname(o->fd[1], (void *)&a, &(socklen_t){sizeof(a)}));
	o->note[1] = a.sin6_port;
	stream_put(o->fd[1], 700, o->seed);
	must(send(o->fd[1], "", 0, 0));
	stream_put(o->fd[1], 30, o->seed + 1);
}

static void check_udp6(struct object *o)
{
	struct sockaddr_in6 a = {0};
	char buf[1000];

	check(recvfrom(o->fd[0], buf, sizeof(buf), MSG_DONTWAIT, (void *)&a,
		       &(socklen_t){sizeof(a)}) == 700 &&
	      pattern_ok(buf, 700, o->seed) && a.sin6_port == o->note[1]);
	check(recv(o->fd[0], buf, sizeof(buf), MSG_DONTWAIT) == 0);
	check(recv(o->fd[0], buf, sizeof(buf), MSG_DONTWAIT) == 30 &&
	      pattern_ok(buf, 30, o->seed + 1));
	check(sendto(o->fd[0], "x", 1, 0, (void *)&a, sizeof(a)) == 1);
	check(recv(o->fd[1], buf, sizeof(buf), 0) == 1 && buf[0] == 'x');
}

static void make_tcp_listener(struct object *o)
{
	struct sockaddr_in a;

	o->fd[0] = inet_bound(SOCK_STREAM, &a);
	o->note[0] = a.sin_port;
	must(listen(o->fd[0], 7));
}

static void check_tcp_listener(struct object *o)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer = -1;

	a.sin_port = (in_port_t)o->note[0];
	check(!connect(fd, (void *)&a, sizeof(a)) && (peer = accept(o->fd[0], NULL, NULL)) >= 0);
	stream_put(fd, 20, o->seed);
	stream_expect(peer, 20, o->seed);
}

/* fd: 0 and 1 the two ends, data on the way in both directions. */
static void make_tcp(struct object *o)
{
	struct sockaddr_in a;
	int listener = inet_bound(SOCK_STREAM, &a);

	must(listen(listener, 1));
	o->fd[0] = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(o->fd[0], (void *)&a, sizeof(a)));
	o->fd[1] = must(accept(listener, NULL, NULL));
	must(close(listener));
	must(setsockopt(o->fd[0], IPPROTO_TCP, 1, &(int){1}, 4));
	stream_put(o->fd[0], 10000, o->seed);
	stream_put(o->fd[1], 33, o->seed + 1);
}

static void check_tcp(struct object *o)
{
	stream_expect(o->fd[1], 10000, o->seed);
	stream_expect(o->fd[0], 33, o->seed + 1);
	stream_put(o->fd[0], 100, 3);
	stream_expect(o->fd[1], 100, 3);
	check(!shutdown(o->fd[1], SHUT_WR) && read(o->fd[0], &(char){0}, 1) == 0);
}

/* A member of a multicast group that differs by seed, on the loopback. */
static struct ip_mreqn group_of(const struct object *o)
{
	return (struct ip_mreqn){.imr_multiaddr.s_addr = htonl(0xefff0000 + (uint32_t)o->seed),
				 .imr_ifindex = 1};
}

static void make_group(struct object *o)
{
	struct ip_mreqn q = group_of(o);

	o->fd[0] = must(socket(AF_INET, SOCK_DGRAM, 0));
	must(setsockopt(o->fd[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof(q)));
}

static void check_group(struct object *o)
{
	struct ip_mreqn q = group_of(o);

	check(!setsockopt(o->fd[0], IPPROTO_IP, IP_DROP_MEMBERSHIP, &q, sizeof(q)));
}

static void make_raw(struct object *o)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	o->note[0] = 200 + (long)(o->seed % 40);
	o->fd[0] = must(socket(AF_INET, SOCK_RAW, (int)o->note[0]));
	must(connect(o->fd[0], (void *)&a, sizeof(a)));
}

/* It receives what it sends, behind the IP header. */
static void check_raw(struct object *o)
{
	char buf[100];

	check(send(o->fd[0], "raw", 3, 0) == 3);
	check(recv(o->fd[0], buf, sizeof(buf), 0) == 23 && !memcmp(buf + 20, "raw", 3));
}

static void make_packet(struct object *o)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons((uint16_t)(0x9100 + o->seed % 100)),
				.sll_ifindex = 1};

	o->fd[0] = must(socket(AF_PACKET, SOCK_DGRAM, 0));
	must(bind(o->fd[0], (void *)&a, sizeof(a)));
	o->note[0] = a.sll_protocol;
}

static void check_packet(struct object *o)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = (uint16_t)o->note[0],
				.sll_ifindex = 1,
				.sll_halen = 6};
	char buf[100];

	check(sendto(o->fd[0], "frame", 5, 0, (void *)&a, sizeof(a)) == 5);
	check(recv(o->fd[0], buf, sizeof(buf), 0) == 5 && !memcmp(buf, "frame", 5));
}

enum { RING_FRAME = 4096, RING_FRAMES = 4 };

static struct tpacket2_hdr *ring_frame(void *map, int i)
{
	return (void *)((char *)map + i % RING_FRAMES * RING_FRAME);
}

/* Two frames wait in the second round. */
static void make_packet_ring(struct object *o)
{
	struct tpacket_req q = {RING_FRAME, RING_FRAMES, RING_FRAME, RING_FRAMES};
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons((uint16_t)(0x9200 + o->seed % 100)),
				.sll_ifindex = 1,
				.sll_halen = 6};
	void *map;

	o->fd[0] = must(socket(AF_PACKET, SOCK_DGRAM, 0));
	must(setsockopt(o->fd[0], SOL_PACKET, PACKET_VERSION, &(int){TPACKET_V2}, 4));
	must(setsockopt(o->fd[0], SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	map = must_ptr(mmap(NULL, (size_t)RING_FRAME * RING_FRAMES, PROT_READ | PROT_WRITE,
			    MAP_SHARED, o->fd[0], 0));
	must(bind(o->fd[0], (void *)&a, sizeof(a)));
	for (int i = 0; i < 7; i++) {
		struct tpacket2_hdr *h = ring_frame(map, i);

		must(sendto(o->fd[0], &i, sizeof(i), 0, (void *)&a, sizeof(a)));
		if (i < 5)
			h->tp_status = TP_STATUS_KERNEL;
	}
	o->note[0] = a.sll_protocol;
	o->note[1] = (long)map;
}

static void check_packet_ring(struct object *o)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = (uint16_t)o->note[0],
				.sll_ifindex = 1,
				.sll_halen = 6};

	for (int i = 7; i < 9; i++)
		check(sendto(o->fd[0], &i, sizeof(i), 0, (void *)&a, sizeof(a)) == sizeof(i));
	for (int i = 5, got; i < 9; i++) {
		struct tpacket2_hdr *h = ring_frame((void *)o->note[1], i);

		memcpy(&got, (char *)h + h->tp_mac, sizeof(got));
		check(h->tp_status & TP_STATUS_USER && got == i, "%d at %d", got, i);
	}
}

static void make_netlink(struct object *o)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	o->fd[0] = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	must(bind(o->fd[0], (void *)&a, sizeof(a)));
	must(getsockname(o->fd[0], (void *)&a, &(socklen_t){sizeof(a)}));
	o->note[0] = a.nl_pid;
}

static void check_netlink(struct object *o)
{
	struct sockaddr_nl a;

	check(!getsockname(o->fd[0], (void *)&a, &(socklen_t){sizeof(a)}));
	check(a.nl_pid == o->note[0] && a.nl_groups == RTMGRP_LINK, "pid %u groups %#x", a.nl_pid,
	      a.nl_groups);
}

const struct factory socket_factories[] = {
	{"unix-stream", make_stream, check_stream, NULL},
	{"unix-half-closed", make_half_closed, check_half_closed, NULL},
	{"unix-orphan", make_orphan, check_orphan, NULL},
	{"unix-seqpacket", make_seqpacket, check_packets, NULL},
	{"unix-dgram", make_dgram, check_packets, NULL},
	{"unix-listener", make_path_listener, check_path_listener, NULL},
	{"unix-abstract", make_abstract_listener, check_abstract_listener, NULL},
	{"unix-receiver", make_receiver, check_receiver, NULL},
	{"unix-ghost", make_unix_ghost, check_unix_ghost, NULL},
	{"unix-urgent", make_urgent, check_urgent, NULL},
	{"unix-rights", make_rights, check_rights, NULL},
	{"udp", make_udp, check_udp, NULL},
	{"udp6", make_udp6, check_udp6, NULL},
	{"udp-group", make_group, check_group, NULL},
	{"raw", make_raw, check_raw, NULL},
	{"packet", make_packet, check_packet, NULL},
	{"packet-ring", make_packet_ring, check_packet_ring, NULL},
	{"tcp-listener", make_tcp_listener, check_tcp_listener, NULL},
	{"tcp", make_tcp, check_tcp, NULL},
	{"netlink", make_netlink, check_netlink, NULL},
	{0},
};
