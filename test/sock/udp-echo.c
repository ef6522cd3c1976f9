/* ICMP echo sockets keep their identifier, UDP-Lite its coverage. */
/* harness: net */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include "../lib/test.h"

enum { UDPLITE_SEND_CSCOV = 10 };

static void allow(void)
{
	int fd = must(open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY));

	must(write(fd, "0 0\n", 4));
	close(fd);
}

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct icmphdr echo = {.type = ICMP_ECHO};
	int fd, lite, value = 0;
	uint16_t id;

	allow();
	fd = must(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	must(bind(fd, (void *)&a, sizeof(a)));
	must(getsockname(fd, (void *)&a, &(socklen_t){sizeof(a)}));
	id = a.sin_port;
	lite = must(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE));
	must(setsockopt(lite, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, &(int){20}, 4));
	a.sin_port = htons(4700);
	must(bind(lite, (void *)&a, sizeof(a)));
	must(sendto(lite, "lite", 4, 0, (void *)&a, sizeof(a)));

	checkpoint();
	a.sin_port = 0;
	check(sendto(fd, &echo, sizeof(echo), 0, (void *)&a, sizeof(a)) == sizeof(echo));
	check(recv(fd, &echo, sizeof(echo), 0) == sizeof(echo) && echo.type == ICMP_ECHOREPLY);
	check(echo.un.echo.id == id, "%u %u", echo.un.echo.id, id);
	check(!getsockopt(lite, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, &value, &(socklen_t){4}) &&
	      value == 20);
	check(recv(lite, &echo, 4, MSG_DONTWAIT) == 4 && !memcmp(&echo, "lite", 4));
	return test_end();
}
