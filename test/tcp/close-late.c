/* --tcp-close on restore, of a checkpoint that has the connections. */
/* harness: net moves modes=restore,again restore=--tcp-close */
#include "tcp-closed.h"

int main(void)
{
	struct tcp_pair p;

	tcp_pair(&p);
	must(write(p.server, "lost", 4));
	checkpoint();
	check_all_closed(&p);
	return test_end();
}
