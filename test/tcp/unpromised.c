/* A connection with a process outside of the tree, without --tcp-established or --tcp-close. */
/* harness: net refused */
#include "tcp-pair.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

int main(void)
{
	struct tcp_pair p;
	pid_t other = 0;

	tcp_listen(&p, 0);
	if (must(fork()) == 0) {
		if (must(fork()))
			_exit(0);
		must(setsid());
		p.client = must(socket(AF_INET, SOCK_STREAM, 0));
		must(tcp_connect(&p, p.client));
		other = getpid();
		must(write(p.client, &other, sizeof(other)));
		close(p.listener);
		_exit(read(p.client, &other, 1) != 0);
	}
	must(wait(NULL));
	p.server = must(accept(p.listener, NULL, NULL));
	must(recv(p.server, &other, sizeof(other), MSG_WAITALL));
	checkpoint();
	check(!close(p.server));
	while (!kill(other, 0))
		sched_yield();
	return test_end();
}
