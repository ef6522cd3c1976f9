/* What a connection that waits to be accepted has received can be read only when the tree is dead:
 * a dump that lets it go on is refused. */
/* harness: net refused dump=-R */
#include "tcp-pair.h"

int main(void)
{
	struct tcp_pair p;
	char byte;
	int fd;

	tcp_listen(&p, 0);
	p.client = must(socket(AF_INET, SOCK_STREAM, 0));
	must(tcp_connect(&p, p.client));
	must(send(p.client, "x", 1, 0));
	checkpoint();
	fd = accept(p.listener, NULL, NULL);
	check(fd >= 0 && recv(fd, &byte, 1, 0) == 1 && byte == 'x');
	return test_end();
}
