/*
 * --skip-in-flight: a connection that nobody accepted is dropped. Its other end is in the tree here
 * and learns it when the network opens.
 */
/* harness: net moves modes=restore,cycles dump=--skip-in-flight dump=--tcp-established */
#include "tcp-pair.h"

#include <poll.h>

int main(void)
{
	struct tcp_pair p;
	int other;

	tcp_pair(&p);
	other = must(socket(AF_INET, SOCK_STREAM, 0));
	must(tcp_connect(&p, other));
	checkpoint();
	check(poll(&(struct pollfd){ p.listener, POLLIN, 0 }, 1, 0) == 0);
	check(write(p.client, "x", 1) == 1 && read(p.server, &(char){ 0 }, 1) == 1);
	(void)!write(other, "x", 1); /* if it does not know yet */
	check(poll(&(struct pollfd){ other, POLLIN, 0 }, 1, 20000) == 1);
	check(read(other, &(char){ 0 }, 1) <= 0);
	return test_end();
}
