/*
 * --map-ip: sockets come back with another address of this host, at both ends of a connection
 * within the tree.
 */
/* harness: net moves modes=restore,again restore=--map-ip=127.0.0.1=127.0.0.9 */
#include "tcp-pair.h"

static uint32_t address(int fd, bool peer)
{
	struct sockaddr_in a = { 0 };
	socklen_t len = sizeof(a);

	check(!(peer ? getpeername : getsockname)(fd, (void *)&a, &len));
	return ntohl(a.sin_addr.s_addr);
}

int main(void)
{
	struct tcp_pair p;
	char buf[8];

	tcp_pair(&p);
	must(write(p.client, "moved", 5));
	checkpoint();
	check(address(p.listener, false) == 0x7f000009);
	check(address(p.client, false) == 0x7f000009 && address(p.client, true) == 0x7f000009);
	check(address(p.server, false) == 0x7f000009 && address(p.server, true) == 0x7f000009);
	check(read(p.server, buf, 8) == 5);
	check(write(p.server, "answer", 6) == 6 && read(p.client, buf, 8) == 6);
	return test_end();
}
