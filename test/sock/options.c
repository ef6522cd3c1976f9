/* Socket options with values that no new socket has, each with what getsockopt() tells afterwards.
 */
/* harness: net */
#include <arpa/inet.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>

#include "../lib/test.h"

enum { UDP4, UDP6, UNIX, SOCKETS, SO_BUF_LOCK_ = 72, SO_RCVMARK_ = 75, SO_RCVPRIORITY_ = 82 };
enum { IP_LOCAL_PORT_RANGE_ = 51, IPV6_FLOWINFO_SEND_ = 33, UDP_NO_CHECK6_TX_ = 101 };

/* May fail where the kernel lacks it; then there is nothing to keep. */
static const struct {
	int socket, level, name, value;
} set[] = {
    {UDP4, SOL_SOCKET, SO_PRIORITY, 5},
    {UDP4, SOL_SOCKET, SO_MARK, 0x1234},
    {UDP4, SOL_SOCKET, SO_RCVLOWAT, 7},
    {UDP4, SOL_SOCKET, SO_BROADCAST, 1},
    {UDP4, SOL_SOCKET, SO_DONTROUTE, 1},
    {UDP4, SOL_SOCKET, SO_NO_CHECK, 1},
    {UDP4, SOL_SOCKET, SO_OOBINLINE, 1},
    {UDP4, SOL_SOCKET, SO_RXQ_OVFL, 1},
    {UDP4, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1},
    {UDP4, SOL_SOCKET, SO_BUSY_POLL, 50},
    {UDP4, SOL_SOCKET, SO_PREFER_BUSY_POLL, 1},
    {UDP4, SOL_SOCKET, SO_ZEROCOPY, 1},
    {UDP4, SOL_SOCKET, SO_INCOMING_CPU, 1},
    {UDP4, SOL_SOCKET, SO_PEEK_OFF, 11},
    {UDP4, SOL_SOCKET, SO_TIMESTAMPNS, 1},
    {UDP4, SOL_SOCKET, SO_RCVBUF, 54321},
    {UDP4, SOL_SOCKET, SO_SNDBUFFORCE, 50000000},
    {UDP4, SOL_SOCKET, SO_BUF_LOCK_, 1},
    {UDP4, SOL_SOCKET, SO_RCVMARK_, 1},
    {UDP4, SOL_SOCKET, SO_RCVPRIORITY_, 1},
    {UDP4, IPPROTO_IP, IP_TOS, 0x48},
    {UDP4, IPPROTO_IP, IP_TTL, 9},
    {UDP4, IPPROTO_IP, IP_PKTINFO, 1},
    {UDP4, IPPROTO_IP, IP_RECVTOS, 1},
    {UDP4, IPPROTO_IP, IP_RECVORIGDSTADDR, 1},
    {UDP4, IPPROTO_IP, IP_RECVERR, 1},
    {UDP4, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE},
    {UDP4, IPPROTO_IP, IP_FREEBIND, 1},
    {UDP4, IPPROTO_IP, IP_TRANSPARENT, 1},
    {UDP4, IPPROTO_IP, IP_MINTTL, 3},
    {UDP4, IPPROTO_IP, IP_MULTICAST_TTL, 8},
    {UDP4, IPPROTO_IP, IP_MULTICAST_LOOP, 0},
    {UDP4, IPPROTO_IP, IP_MULTICAST_ALL, 0},
    {UDP4, IPPROTO_IP, IP_UNICAST_IF, 0x01000000},
    {UDP4, IPPROTO_IP, IP_LOCAL_PORT_RANGE_, 40000 | 40100 << 16},
    {UDP4, IPPROTO_UDP, UDP_SEGMENT, 1200},
    {UDP4, IPPROTO_UDP, UDP_GRO, 1},
    {UDP4, IPPROTO_UDP, UDP_CORK, 1},
    {UDP6, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE},
    {UDP6, SOL_SOCKET, SO_REUSEADDR, 1},
    {UDP6, SOL_SOCKET, SO_REUSEPORT, 1},
    {UDP6, SOL_SOCKET, SO_KEEPALIVE, 1},
    {UDP6, IPPROTO_IPV6, IPV6_V6ONLY, 1},
    {UDP6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 12},
    {UDP6, IPPROTO_IPV6, IPV6_TCLASS, 0x60},
    {UDP6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
    {UDP6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},
    {UDP6, IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
    {UDP6, IPPROTO_IPV6, IPV6_RECVERR, 1},
    {UDP6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO},
    {UDP6, IPPROTO_IPV6, IPV6_DONTFRAG, 1},
    {UDP6, IPPROTO_IPV6, IPV6_FREEBIND, 1},
    {UDP6, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0},
    {UDP6, IPPROTO_IPV6, IPV6_FLOWINFO_SEND_, 1},
    {UDP6, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 0x0002},
    {UDP6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 3},
    {UDP6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0},
    {UDP6, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 4},
    {UDP6, IPPROTO_IP, IP_TTL, 77},
    {UDP6, IPPROTO_UDP, UDP_NO_CHECK6_TX_, 1},
    {UNIX, SOL_SOCKET, SO_PRIORITY, 3},
    {UNIX, SOL_SOCKET, SO_PASSCRED, 1},
    {UNIX, SOL_SOCKET, SO_PASSSEC, 1},
    {UNIX, SOL_SOCKET, SO_RCVBUF, 7000},
};
enum { N = sizeof(set) / sizeof(set[0]) };

static struct {
	char bytes[64];
	socklen_t len;
} value[2][N];

static void ask_all(const int *fd, int when)
{
	for (int i = 0; i < N; i++) {
		int name = set[i].name == SO_SNDBUFFORCE && set[i].level == SOL_SOCKET
			       ? SO_SNDBUF
			       : set[i].name;

		value[when][i].len = 64;
		if (getsockopt(fd[set[i].socket], set[i].level, name, value[when][i].bytes,
			       &value[when][i].len))
			value[when][i].len = 0;
	}
}

int main(void)
{
	struct timeval tv = {3, 500000};
	struct linger linger = {1, 44};
	uint64_t rate = 1ULL << 33, got = 0;
	unsigned char options[8] = {7, 7, 4}, again[40]; /* record route */
	socklen_t len = sizeof(again);
	int fd[SOCKETS + 1];

	fd[UDP4] = must(socket(AF_INET, SOCK_DGRAM, 0));
	fd[UDP6] = must(socket(AF_INET6, SOCK_DGRAM, 0));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd + UNIX));
	for (int i = 0; i < N; i++)
		if (setsockopt(fd[set[i].socket], set[i].level, set[i].name, &set[i].value, 4))
			check(errno == ENOPROTOOPT, "option %d: %s", i, strerror(errno));
	must(setsockopt(fd[UDP4], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	must(setsockopt(fd[UDP4], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	must(setsockopt(fd[UDP4], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	must(setsockopt(fd[UDP4], SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)));
	must(setsockopt(fd[UDP6], IPPROTO_IP, IP_OPTIONS, options, sizeof(options)));
	ask_all(fd, 0);

	checkpoint();
	ask_all(fd, 1);
	for (int i = 0; i < N; i++)
		check(value[0][i].len == value[1][i].len &&
			  !memcmp(value[0][i].bytes, value[1][i].bytes, value[0][i].len),
		      "option %d (%d:%d)", i, set[i].level, set[i].name);
	memset(&tv, 0, sizeof(tv));
	check(!getsockopt(fd[UDP4], SOL_SOCKET, SO_RCVTIMEO, &tv, &(socklen_t){sizeof(tv)}) &&
	      tv.tv_sec == 3);
	check(!getsockopt(fd[UDP4], SOL_SOCKET, SO_MAX_PACING_RATE, &got, &(socklen_t){8}) &&
	      got == rate);
	check(!getsockopt(fd[UDP6], IPPROTO_IP, IP_OPTIONS, again, &len) && len == 8 &&
	      !memcmp(again, options, 8), "%u", len);
	return test_end();
}
