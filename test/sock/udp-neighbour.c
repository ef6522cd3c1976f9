/*
 * A datagram that waits for the address of a neighbour nobody knows is not kept back by its socket:
 * IPv4 and IPv6, with a port of its own that goes on to receive.
 */
/* harness: net */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../lib/test.h"

static int make(int family, const void *to, socklen_t len)
{
	int fd = must(socket(family, SOCK_DGRAM, 0)), unsent = 0;

	must(sendto(fd, "lost", 4, 0, to, len));
	must(ioctl(fd, SIOCOUTQ, &unsent));
	check(unsent > 0, "%d", unsent);
	return fd;
}

static void check_it(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int from = must(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char buf[10];

	must(getsockname(fd, (void *)&a, &len));
	to.sin_port = ((struct sockaddr_in *)&a)->sin_port; /* at the same place in both */
	must(sendto(from, "here", 4, 0, (void *)&to, sizeof(to)));
	check(recv(fd, buf, sizeof(buf), 0) == 4);
	close(from);
}

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	int four, six;

	if (system("ip link add v0 type veth peer name v1 && ip link set v1 up && "
		   "ip link set v0 up && ip addr add 10.99.0.1/24 dev v0 && "
		   "ip addr add fd99::1/64 dev v0 nodad && "
		   "echo 1000 > /proc/sys/net/ipv4/neigh/v0/mcast_solicit && "
		   "echo 1000 > /proc/sys/net/ipv6/neigh/v0/mcast_solicit"))
		skip("no pair of devices");
	inet_pton(AF_INET, "10.99.0.2", &a.sin_addr);
	inet_pton(AF_INET6, "fd99::2", &b.sin6_addr);
	four = make(AF_INET, &a, sizeof(a));
	six = make(AF_INET6, &b, sizeof(b));
	checkpoint();
	check_it(four);
	check_it(six);
	return test_end();
}
