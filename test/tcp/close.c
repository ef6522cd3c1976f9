/*
 * --tcp-close on dump: connections come back closed, without their data; listeners as they were.
 */
/* harness: net moves modes=restore,cycles,again dump=--tcp-close */
#include "tcp-closed.h"

int main(void)
{
	struct tcp_pair p;

	tcp_pair(&p);
	must(write(p.client, "lost", 4));
	checkpoint();
	check_all_closed(&p);
	return test_end();
}
