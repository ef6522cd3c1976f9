/* Multicast memberships of both families, with filters of sources, on the loopback; what is sent to
 * an IPv4 group arrives (the loopback has no route for IPv6 groups). */
/* harness: net */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../lib/test.h"

enum { PORT = 4500 };

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage s = {0};
	struct sockaddr_in *a = (void *)&s;
	struct sockaddr_in6 *b = (void *)&s;

	if (inet_pton(AF_INET, text, &a->sin_addr) == 1) {
		a->sin_family = AF_INET;
		return s;
	}
	b->sin6_family = AF_INET6;
	must(inet_pton(AF_INET6, text, &b->sin6_addr));
	return s;
}

static int make(int family)
{
	struct sockaddr_in6 a = {.sin6_family = (sa_family_t)family, .sin6_port = htons(PORT)};
	int fd = must(socket(family, SOCK_DGRAM, 0));

	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, 4));
	if (family == AF_INET6)
		must(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, 4));
	must(bind(fd, (void *)&a, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(a)));
	return fd;
}

static void join(int fd, int level, const char *group, const char *source)
{
	struct group_source_req q = {.gsr_interface = if_nametoindex("lo"),
				     .gsr_group = address(group)};

	if (source) {
		q.gsr_source = address(source);
		must(setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &q, sizeof(q)));
	} else {
		must(setsockopt(fd, level, MCAST_JOIN_GROUP, &q, sizeof(struct group_req)));
	}
}

static void send_to(const char *group)
{
	struct sockaddr_storage s = address(group);
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
	struct ip_mreqn q = {.imr_ifindex = (int)if_nametoindex("lo")};

	must(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &q, sizeof(q)));
	((struct sockaddr_in *)&s)->sin_port = htons(PORT);
	check(sendto(fd, "m", 1, 0, (void *)&s, sizeof(struct sockaddr_in)) == 1, "%s",
	      strerror(errno));
	close(fd);
}

static bool arrived(int fd)
{
	char byte = 0;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'm';
}

int main(void)
{
	int plain = make(AF_INET), picky = make(AF_INET), six = make(AF_INET6),
	    none = make(AF_INET);
	struct group_req again = {0};

	must(setsockopt(none, IPPROTO_IP, IP_MULTICAST_ALL, &(int){0}, 4));
	must(setsockopt(picky, IPPROTO_IP, IP_MULTICAST_ALL, &(int){0}, 4));
	join(plain, IPPROTO_IP, "239.1.2.3", NULL);
	join(picky, IPPROTO_IP, "239.1.2.4", "203.0.113.9");
	join(picky, IPPROTO_IP, "239.1.2.4", "203.0.113.10");
	join(six, IPPROTO_IPV6, "ff15::99", NULL);
	join(six, IPPROTO_IP, "239.1.2.5", NULL);

	again.gr_interface = if_nametoindex("lo");
	again.gr_group = address("ff15::99");

	checkpoint();
	send_to("239.1.2.3");
	check(arrived(plain) && !arrived(none) && !arrived(picky));
	send_to("239.1.2.4");
	check(!arrived(picky));
	check(setsockopt(six, IPPROTO_IPV6, MCAST_JOIN_GROUP, &again, sizeof(again)) &&
	      errno == EADDRINUSE);
	return test_end();
}
