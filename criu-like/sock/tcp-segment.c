/*
 * What only a packet can do to a TCP socket: the end of the peer's stream, the acknowledgement of
 * our own end, a reset. The segment is made whole and given to a raw socket; its destination is
 * local, so it never leaves the host, and its mark lets it through the network lock. The kernel
 * fills in what the IPv4 header lacks (length, checksum), and nothing of IPv6. A socket with
 * IPv4-mapped names wants an IPv4 packet.
 */
#include "sock/tcp-segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/net-lock.h"
#include "kernel/sys.h"

enum { HOPS = 64, WORDS_OF_HEADER = 5 };

union packet {
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} __attribute__((packed)) v4;
	struct {
		struct ip6_hdr ip;
		struct tcphdr tcp;
	} __attribute__((packed)) v6;
};

static uint32_t add(uint32_t sum, const void *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		uint16_t word;

		memcpy(&word, (const char *)p + i, 2);
		sum += word;
	}
	return sum;
}

/* Over the pseudo header, which IPv4 and IPv6 add up alike, and the TCP header. */
static uint16_t checksum(const void *addresses, size_t len, const struct tcphdr *tcp)
{
	const uint16_t rest[] = { htons(IPPROTO_TCP), htons(sizeof(*tcp)) };
	uint32_t sum = add(add(add(0, addresses, len), rest, sizeof(rest)), tcp, sizeof(*tcp));

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static struct tcphdr header(const struct tcp_segment *s, uint16_t from, uint16_t to)
{
	return (struct tcphdr){
		.source = from,
		.dest = to,
		.seq = htonl(s->seq),
		.ack_seq = htonl(s->ack),
		.doff = WORDS_OF_HEADER,
		.fin = !!(s->flags & SEGMENT_FIN),
		.rst = !!(s->flags & SEGMENT_RST),
		.ack = !!(s->flags & SEGMENT_ACK),
		.window = htons(s->window),
	};
}

static size_t make_v4(const struct tcp_segment *s, uint32_t from, uint32_t to, union packet *ret)
{
	uint16_t ports[2];

	/* Of both families: the port is in the same place. */
	memcpy(&ports[0], s->from->sa_data, 2);
	memcpy(&ports[1], s->to->sa_data, 2);
	ret->v4.ip = (struct iphdr){ .version = 4,
				     .ihl = WORDS_OF_HEADER,
				     .tot_len = htons(sizeof(ret->v4)),
				     .ttl = HOPS,
				     .protocol = IPPROTO_TCP,
				     .saddr = from,
				     .daddr = to };
	ret->v4.tcp = header(s, ports[0], ports[1]);
	struct tcphdr tcp = ret->v4.tcp;

	ret->v4.tcp.check = checksum((const uint32_t[]){ from, to }, 8, &tcp);
	return sizeof(ret->v4);
}

static size_t make_v6(const struct tcp_segment *s, union packet *ret)
{
	const struct sockaddr_in6 *from = (const void *)s->from, *to = (const void *)s->to;
	const struct in6_addr both[] = { from->sin6_addr, to->sin6_addr };
	struct tcphdr tcp = header(s, from->sin6_port, to->sin6_port);

	tcp.check = checksum(both, sizeof(both), &tcp);
	ret->v6.ip = (struct ip6_hdr){ .ip6_src = both[0], .ip6_dst = both[1] };
	ret->v6.ip.ip6_flow = htonl(6u << 28);
	ret->v6.ip.ip6_plen = htons(sizeof(tcp));
	ret->v6.ip.ip6_nxt = IPPROTO_TCP;
	ret->v6.ip.ip6_hlim = HOPS;
	ret->v6.tcp = tcp;
	return sizeof(ret->v6);
}

static int send_packet(int family, const union packet *p, size_t len, const struct sockaddr *to,
		       size_t to_len)
{
	_close_ int fd = (int)sys(SYS_socket, family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	const int mark = NET_LOCK_MARK;
	long r = fd;

	if (r >= 0)
		r = sys(SYS_setsockopt, fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	if (r >= 0)
		r = sys(SYS_sendto, fd, p, len, 0, to, to_len);
	return r < 0 ? fail(r, "send a segment to a restored socket") : 0;
}

static bool ipv4_of(const struct sockaddr *a, uint32_t *ret)
{
	const struct sockaddr_in6 *v6 = (const void *)a;

	if (a->sa_family == AF_INET)
		*ret = ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr;
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		memcpy(ret, &v6->sin6_addr.s6_addr[12], 4);
	else
		return false;
	return true;
}

int tcp_segment_inject(const struct tcp_segment *s)
{
	union packet p = { 0 };
	uint32_t from, to;

	if (ipv4_of(s->from, &from) && ipv4_of(s->to, &to)) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = to };

		return send_packet(AF_INET, &p, make_v4(s, from, to, &p), (const void *)&a,
				   sizeof(a));
	}
	/* The port of a raw IPv6 destination has to be none. */
	struct sockaddr_in6 a = *(const struct sockaddr_in6 *)(const void *)s->to;

	a.sin6_port = 0;
	return send_packet(AF_INET6, &p, make_v6(s, &p), (const void *)&a, sizeof(a));
}
