/* Bytes kept back by UDP_CORK cannot be read. */
/* harness: net refused=UDP_CORK */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(4600),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
	int to = must(socket(AF_INET, SOCK_DGRAM, 0));
	char buf[10];

	must(bind(to, (void *)&a, sizeof(a)));
	must(connect(fd, (void *)&a, sizeof(a)));
	must(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &(int){1}, 4));
	must(send(fd, "kept", 4, 0));
	checkpoint();
	check(!setsockopt(fd, IPPROTO_UDP, UDP_CORK, &(int){0}, 4));
	check(recv(to, buf, sizeof(buf), 0) == 4);
	return test_end();
}
