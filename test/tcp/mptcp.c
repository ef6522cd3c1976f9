/*
 * A listener that speaks multipath TCP, as Go opens it: connections by plain TCP are plain TCP
 * sockets.
 */
/* harness: net */
#include "tcp-pair.h"

enum { MULTIPATH = 262 };

int main(void)
{
	int protocol = 0, fd;
	struct tcp_pair p;

	if (socket(AF_INET, SOCK_STREAM, MULTIPATH) < 0)
		skip("no multipath TCP");
	tcp_listen(&p, MULTIPATH);
	p.client = must(socket(AF_INET, SOCK_STREAM, 0));
	must(tcp_connect(&p, p.client));
	p.server = must(accept(p.listener, NULL, NULL));
	must(write(p.client, "plain", 5));
	checkpoint();
	check(!getsockopt(p.listener, SOL_SOCKET, SO_PROTOCOL, &protocol, &(socklen_t){ 4 }) &&
		      protocol == MULTIPATH,
	      "%d", protocol);
	check(read(p.server, &(char[8]){ 0 }, 8) == 5);
	fd = must(socket(AF_INET, SOCK_STREAM, MULTIPATH));
	check(!tcp_connect(&p, fd) && accept(p.listener, NULL, NULL) >= 0);
	return test_end();
}
