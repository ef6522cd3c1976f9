/*
 * Many sockets of one port: listeners that share it, one of which says by now that it does not; a
 * listener without SO_REUSEADDR whose connections are in another task and have bytes unsent.
 */
/* harness: net */
#include "tcp-pair.h"

#include <fcntl.h>
#include <sys/ioctl.h>

static struct tcp_pair p;
static size_t queued;

static int option(int fd, int name)
{
	int value = -1;

	check(!getsockopt(fd, SOL_SOCKET, name, &value, &(socklen_t){ 4 }));
	return value;
}

static void with_connection(void *arg)
{
	static char bytes[1 << 20];
	long n;

	(void)arg;
	p.server = must(accept(p.listener, NULL, NULL));
	must(close(p.listener));
	must(close(p.client));
	must(fcntl(p.server, F_SETFL, O_NONBLOCK));
	while ((n = write(p.server, bytes, sizeof(bytes))) > 0)
		queued += (size_t)n;
	must(fcntl(p.server, F_SETFL, 0));
	for (int outside = 0, before = -1; outside != before;) { /* nothing more is on its way */
		before = outside;
		must(ioctl(p.server, TIOCOUTQ, &outside));
	}
	checkpoint_wait();
	check(write(p.server, &queued, sizeof(queued)) == sizeof(queued));
}

static size_t drain(int fd)
{
	static char bytes[1 << 20];
	size_t total = 0, last = 0;
	long n;

	/* The last eight bytes are the count. */
	while (!last || total != last + sizeof(last)) {
		n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		total += (size_t)n;
		if (n >= 8)
			memcpy(&last, bytes + n - 8, 8);
	}
	return total - sizeof(last) == last ? last : 0;
}

int main(void)
{
	struct tcp_pair a, b;

	a.listener = must(socket(AF_INET, SOCK_STREAM, 0));
	b.listener = must(socket(AF_INET, SOCK_STREAM, 0));
	a.name = (struct sockaddr_in){ AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } };
	must(setsockopt(a.listener, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, 4));
	must(setsockopt(b.listener, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, 4));
	must(bind(a.listener, (void *)&a.name, sizeof(a.name)));
	must(getsockname(a.listener, (void *)&a.name, &(socklen_t){ sizeof(a.name) }));
	must(bind(b.listener, (void *)&a.name, sizeof(a.name)));
	must(listen(a.listener, 2));
	must(listen(b.listener, 9));
	must(setsockopt(b.listener, SOL_SOCKET, SO_REUSEPORT, &(int){ 0 }, 4));

	tcp_listen(&p, 0);
	p.client = must(socket(AF_INET, SOCK_STREAM, 0));
	must(tcp_connect(&p, p.client));
	task_run(with_connection, NULL);
	checkpoint();
	check(option(a.listener, SO_REUSEPORT) == 1 && option(b.listener, SO_REUSEPORT) == 0);
	check(option(a.listener, SO_REUSEADDR) == 0 && option(p.listener, SO_REUSEADDR) == 0);
	check(tcp_state(a.listener) == TCP_LISTEN && tcp_state(b.listener) == TCP_LISTEN);
	check(drain(p.client) > 0);
	return test_end();
}
