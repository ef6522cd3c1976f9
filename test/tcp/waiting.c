/* A connection that waits to be accepted: no interface puts it back. */
/* harness: net refused */
#include "tcp-pair.h"

int main(void)
{
	struct tcp_pair p;

	tcp_listen(&p, 0);
	must(tcp_connect(&p, must(socket(AF_INET, SOCK_STREAM, 0))));
	checkpoint();
	check(accept(p.listener, NULL, NULL) >= 0);
	return test_end();
}
