/* Raw sockets: protocol, filter of ICMP types, address and peer, headers by the program. */
/* harness: net */
#include <arpa/inet.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct icmp_filter only_replies = {.data = ~(1U << ICMP_ECHOREPLY)}, got = {0};
	struct icmphdr echo = {.type = ICMP_ECHO, .un.echo.id = 7};
	struct icmp6_filter six, got6;
	int fd = must(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)), own, icmp6, value = 0;
	char buf[200];

	must(setsockopt(fd, SOL_RAW, ICMP_FILTER, &only_replies, sizeof(only_replies)));
	must(bind(fd, (void *)&a, sizeof(a)));
	must(connect(fd, (void *)&a, sizeof(a)));
	own = must(socket(AF_INET, SOCK_RAW, 99));
	must(setsockopt(own, IPPROTO_IP, IP_HDRINCL, &(int){1}, 4));
	icmp6 = must(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	ICMP6_FILTER_SETBLOCKALL(&six);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &six);
	must(setsockopt(icmp6, IPPROTO_ICMPV6, ICMP6_FILTER, &six, sizeof(six)));

	checkpoint();
	check(!getsockopt(fd, SOL_RAW, ICMP_FILTER, &got, &(socklen_t){sizeof(got)}) &&
	      got.data == only_replies.data);
	echo.checksum = (uint16_t)~(htons(ICMP_ECHO << 8) + 7);
	check(send(fd, &echo, sizeof(echo), 0) == sizeof(echo));
	check(recv(fd, buf, sizeof(buf), 0) == 20 + sizeof(echo) && buf[20] == ICMP_ECHOREPLY);
	check(!getsockopt(own, IPPROTO_IP, IP_HDRINCL, &value, &(socklen_t){4}) && value == 1);
	check(!getsockopt(icmp6, IPPROTO_ICMPV6, ICMP6_FILTER, &got6, &(socklen_t){sizeof(got6)}) &&
	      !memcmp(&six, &got6, sizeof(six)));
	return test_end();
}
