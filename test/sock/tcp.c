/*
 * Connections within the tree, over IPv4, IPv6 and IPv4 with an IPv6 socket: what waits in both
 * directions, more than the other end can take, names, options; then traffic in both directions.
 * Listeners with backlog, bound and unbound sockets.
 */
/* harness: net */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { FLOOD = 3 << 20 };
struct pair {
	int listener, client, server;
	size_t queued;
};

static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} name;

static socklen_t loopback(int family, bool mapped)
{
	memset(&name, 0, sizeof(name));
	name.any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		name.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(name.v4);
	}
	name.v6.sin6_addr = in6addr_loopback;
	if (mapped)
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &name.v6.sin6_addr);
	return sizeof(name.v6);
}

static struct pair connect_pair(int family, bool mapped)
{
	struct pair p = { 0 };
	socklen_t len = loopback(family, mapped);

	p.listener = must(socket(family, SOCK_STREAM, 0));
	must(bind(p.listener, &name.any, len));
	must(listen(p.listener, 3));
	must(getsockname(p.listener, &name.any, &len));
	p.client = must(socket(family, SOCK_STREAM, 0));
	must(connect(p.client, &name.any, len));
	p.server = must(accept(p.listener, NULL, NULL));
	return p;
}

/* Fills both queues of one direction until nothing more fits. */
static void flood(struct pair *p)
{
	static char bytes[FLOOD];
	long n;

	pattern_fill(bytes, sizeof(bytes), 5);
	must(fcntl(p->client, F_SETFL, O_NONBLOCK));
	must(setsockopt(p->client, SOL_SOCKET, SO_SNDBUF, &(int){ 300000 }, 4));
	while (p->queued < sizeof(bytes) &&
	       (n = write(p->client, bytes + p->queued, sizeof(bytes) - p->queued)) > 0)
		p->queued += (size_t)n;
	must_true(p->queued);
	/* Until all that arrived is acknowledged. */
	for (int inside = 0, outside = 0; (size_t)(inside + outside) != p->queued;) {
		must(ioctl(p->server, FIONREAD, &inside));
		must(ioctl(p->client, TIOCOUTQ, &outside));
	}
}

static void expect(int fd, size_t len, uint64_t seed)
{
	static char bytes[FLOOD], wanted[FLOOD];
	size_t done = 0;
	long n = 1;

	while (done < len && (n = read(fd, bytes + done, len - done)) > 0)
		done += (size_t)n;
	pattern_fill(wanted, sizeof(wanted), seed);
	check(done == len && !memcmp(bytes, wanted, len), "%zu of %zu bytes", done, len);
}

static void exchange(int a, int b)
{
	char out[5000], in[5000];

	for (int i = 0; i < 20; i++) {
		pattern_fill(out, sizeof(out), (uint64_t)i);
		check(write(a, out, sizeof(out)) == sizeof(out));
		check(recv(b, in, sizeof(in), MSG_WAITALL) == sizeof(in));
		check(!memcmp(in, out, sizeof(in)));
		check(write(b, in, 100) == 100);
		check(recv(a, out, 100, MSG_WAITALL) == 100 && !memcmp(in, out, 100));
	}
}

static struct pair four, six, mapped;

static void child(void *arg)
{
	char byte = 0;

	(void)arg;
	checkpoint_wait();
	expect(four.server, four.queued, 5);
	check(write(four.server, "a", 1) == 1);
	check(read(four.server, &byte, 1) == 1 && byte == 'z');
}

int main(void)
{
	char buf[16] = "";
	int bound, unbound, on = 0;

	four = connect_pair(AF_INET, false);
	six = connect_pair(AF_INET6, false);
	mapped = connect_pair(AF_INET6, true);
	unbound = must(socket(AF_INET, SOCK_STREAM, 0));
	bound = must(socket(AF_INET6, SOCK_STREAM, 0));
	must(bind(bound, &name.any, loopback(AF_INET6, false)));
	flood(&four);
	must(write(six.client, "six", 3));
	must(write(six.server, "seven", 5));
	must(write(mapped.server, "mapped", 6));
	must(setsockopt(six.client, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, 4));
	must(setsockopt(six.server, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	must(setsockopt(mapped.server, IPPROTO_TCP, TCP_USER_TIMEOUT, &(int){ 12345 }, 4));
	must(setsockopt(mapped.client, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, 4));
	must(setsockopt(mapped.listener, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, 4));
	task_run(child, NULL);

	checkpoint();
	check(read(six.server, buf, 16) == 3 && !memcmp(buf, "six", 3));
	check(read(six.client, buf, 16) == 5 && !memcmp(buf, "seven", 5));
	check(read(mapped.client, buf, 16) == 6 && !memcmp(buf, "mapped", 6));
	check(!getsockopt(six.client, IPPROTO_TCP, TCP_NODELAY, &on, &(socklen_t){ 4 }) && on);
	exchange(six.client, six.server);
	exchange(mapped.client, mapped.server);
	check(poll(&(struct pollfd){ four.client, POLLIN, 0 }, 1, 20000) == 1);
	check(read(four.client, buf, 1) == 1 && buf[0] == 'a');
	check(write(four.client, "z", 1) == 1);
	check(!listen(bound, 1) && listen(unbound, 1) == 0);
	check(!shutdown(six.client, SHUT_WR) && !read(six.server, buf, 1));
	return test_end();
}
