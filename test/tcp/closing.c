/*
 * Half closed and closed connections over IPv4, IPv6 and IPv4 by an IPv6 socket. A packet filter
 * drops what would end a state too early; it is gone after the checkpoint, and the ends that were
 * lost arrive: data that waits, the end of the stream, EPIPE, names.
 */
/* harness: net moves */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} name;

struct pair {
	int client, server;
	uint16_t port;
};

enum way { FOUR, SIX, MAPPED, WAYS };

static struct pair connect_pair(enum way w)
{
	socklen_t len = w == FOUR ? sizeof(name.v4) : sizeof(name.v6);
	int family = w == FOUR ? AF_INET : AF_INET6;
	int listener = must(socket(family, SOCK_STREAM, 0));
	struct pair p;

	memset(&name, 0, sizeof(name));
	name.any.sa_family = (sa_family_t)family;
	if (w == FOUR)
		name.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		must(inet_pton(AF_INET6, w == SIX ? "::1" : "::ffff:127.0.0.1",
			       &name.v6.sin6_addr));
	must(bind(listener, &name.any, len));
	must(listen(listener, 3));
	must(getsockname(listener, &name.any, &len));
	p.port = ntohs(name.v4.sin_port);
	p.client = must(socket(family, SOCK_STREAM, 0));
	must(connect(p.client, &name.any, len));
	p.server = must(accept(listener, NULL, NULL));
	must(close(listener));
	must(write(p.client, "question", 8));
	must(write(p.server, "answer", 6));
	return p;
}

static int state(int fd)
{
	struct tcp_info i = { 0 };
	socklen_t len = sizeof(i);

	must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len));
	return i.tcpi_state;
}

/* Until the kernel has brought it there: packets take their time. */
static void wait_for(int fd, int wanted)
{
	for (unsigned int i = 0; state(fd) != wanted && i < 100000000; i++)
		sched_yield();
	must_true(state(fd) == wanted);
}

static void shell(const char *fmt, unsigned int n)
{
	char line[300];

	snprintf(line, sizeof(line), fmt, n);
	if (system(line))
		skip("%s", line);
}

/* Nothing more passes from (direction "sport") or to ("dport") the server; but what restores have
 * to send. */
static void block(const struct pair *p, const char *direction)
{
	char fmt[100];

	snprintf(fmt, sizeof(fmt), "nft add rule inet t c meta mark != 0xc114 tcp %s %%u drop",
		 direction);
	shell(fmt, p->port);
}

struct all {
	struct pair wait, done, wait1, closing, last, reset;
};

static void make(struct all *a, enum way w)
{
	a->wait = connect_pair(w); /* FIN_WAIT2, CLOSE_WAIT */
	must(shutdown(a->wait.client, SHUT_WR));
	wait_for(a->wait.client, TCP_FIN_WAIT2);
	wait_for(a->wait.server, TCP_CLOSE_WAIT);
	a->done = connect_pair(w); /* one is left in TIME_WAIT, the other is closed */
	must(shutdown(a->done.client, SHUT_WR));
	wait_for(a->done.server, TCP_CLOSE_WAIT);
	must(shutdown(a->done.server, SHUT_WR));
	wait_for(a->done.server, TCP_CLOSE);
	a->wait1 = connect_pair(w); /* FIN_WAIT1: its end does not arrive */
	block(&a->wait1, "dport");
	must(shutdown(a->wait1.client, SHUT_WR));
	wait_for(a->wait1.client, TCP_FIN_WAIT1);
	a->closing = connect_pair(w);
	block(&a->closing, "dport");
	must(shutdown(a->closing.client, SHUT_WR));
	must(shutdown(a->closing.server, SHUT_WR));
	wait_for(a->closing.client, TCP_CLOSING);
	wait_for(a->closing.server, TCP_FIN_WAIT1);
	a->last = connect_pair(w); /* LAST_ACK, FIN_WAIT2 */
	must(shutdown(a->last.client, SHUT_WR));
	wait_for(a->last.client, TCP_FIN_WAIT2);
	block(&a->last, "sport");
	must(shutdown(a->last.server, SHUT_WR));
	wait_for(a->last.server, TCP_LAST_ACK);
	a->reset = connect_pair(w);
	must(setsockopt(a->reset.server, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
			sizeof(struct linger)));
	must(close(a->reset.server));
	wait_for(a->reset.client, TCP_CLOSE);
}

static void expect(int fd, const char *text)
{
	char buf[16] = "";
	long len = (long)strlen(text);

	check(recv(fd, buf, (size_t)len, MSG_WAITALL) == len && !memcmp(buf, text, (size_t)len),
	      "'%s' instead of '%s'", buf, text);
}

static void expect_end(int fd)
{
	char byte;

	check(read(fd, &byte, 1) == 0, "in state %d", state(fd));
}

static void expect_no_write(int fd)
{
	check(send(fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
}

static void check_all(const struct all *a)
{
	char byte;

	expect(a->wait.server, "question");
	expect_end(a->wait.server);
	expect(a->wait.client, "answer");
	check(write(a->wait.server, "more", 4) == 4);
	expect(a->wait.client, "more");
	expect_no_write(a->wait.client);
	check(!close(a->wait.server));
	expect_end(a->wait.client);

	expect(a->done.client, "answer");
	expect_end(a->done.client);
	expect(a->done.server, "question");
	expect_end(a->done.server);
	expect_no_write(a->done.server);

	expect(a->wait1.server, "question");
	expect_end(a->wait1.server); /* sent again */
	check(write(a->wait1.server, "late", 4) == 4);
	expect(a->wait1.client, "answerlate");

	expect(a->closing.server, "question");
	expect_end(a->closing.server);
	expect(a->closing.client, "answer");
	expect_end(a->closing.client);

	expect(a->last.server, "question");
	expect_end(a->last.server);
	expect(a->last.client, "answer");
	expect_end(a->last.client);

	expect(a->reset.client, "answer");
	check(send(a->reset.client, "x", 1, MSG_NOSIGNAL) == -1);
	check(read(a->reset.client, &byte, 1) <= 0);
}

static void check_states(const struct all *a)
{
	check(state(a->wait.client) == TCP_FIN_WAIT2 && state(a->wait.server) == TCP_CLOSE_WAIT);
	check(state(a->done.server) == TCP_CLOSE);
	check(state(a->wait1.client) == TCP_FIN_WAIT1);
	check(state(a->closing.client) == TCP_CLOSING, "%d", state(a->closing.client));
	check(state(a->closing.server) == TCP_FIN_WAIT1);
	check(state(a->last.server) == TCP_LAST_ACK && state(a->last.client) == TCP_FIN_WAIT2);
	check(state(a->reset.client) == TCP_CLOSE);
}

int main(void)
{
	struct all a[WAYS];

	shell("nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }'",
	      0);
	for (enum way w = FOUR; w < WAYS; w++)
		make(&a[w], w);
	checkpoint();
	for (enum way w = FOUR; w < WAYS; w++)
		check_states(&a[w]);
	shell("nft delete table inet t", 0);
	for (enum way w = FOUR; w < WAYS; w++)
		check_all(&a[w]);
	return test_end();
}
