/* Link-local addresses of IPv6 belong to an interface; what waits in the queue comes back there. */
/* harness: net */
#include <arpa/inet.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../lib/test.h"

static struct sockaddr_in6 name(int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	must(inet_pton(AF_INET6, "fe80::77", &a.sin6_addr));
	a.sin6_scope_id = if_nametoindex("lo");
	return a;
}

static void add_address(void)
{
	struct in6_ifreq q = {.ifr6_prefixlen = 64, .ifr6_ifindex = (int)if_nametoindex("lo")};
	int fd = must(socket(AF_INET6, SOCK_DGRAM, 0));

	q.ifr6_addr = name(0).sin6_addr;
	must_true(!ioctl(fd, SIOCSIFADDR, &q) || errno == EEXIST);
	close(fd);
}

int main(void)
{
	struct sockaddr_in6 a = name(5200), b = name(5201), from = {0};
	int server = must(socket(AF_INET6, SOCK_DGRAM, 0)), client;
	char buf[10];

	add_address();
	/* The kernel takes a moment until the address may be used. */
	for (int i = 0; bind(server, (void *)&a, sizeof(a)) && i < 1000; i++)
		must_true(errno == EADDRNOTAVAIL && !poll(NULL, 0, 1));
	client = must(socket(AF_INET6, SOCK_DGRAM, 0));
	must(bind(client, (void *)&b, sizeof(b)));
	must(connect(client, (void *)&a, sizeof(a)));
	must(send(client, "waits", 5, 0));

	checkpoint();
	check(recvfrom(server, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from,
		       &(socklen_t){sizeof(from)}) == 5 &&
	      !memcmp(buf, "waits", 5));
	check(from.sin6_scope_id == a.sin6_scope_id && from.sin6_port == b.sin6_port);
	check(sendto(server, "back", 4, 0, (void *)&from, sizeof(from)) == 4);
	check(recv(client, buf, sizeof(buf), 0) == 4 && !memcmp(buf, "back", 4));
	return test_end();
}
