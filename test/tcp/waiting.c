/* Connections that wait to be accepted, from clients of the tree: they are accepted in their order,
 * with the clients' names, and both directions work. By IPv6 to a listener on all addresses too. */
/* harness: net */
#include "tcp-pair.h"

#include <poll.h>

enum { CLIENTS = 3 };

static int listen6(struct sockaddr_in6 *name)
{
	int fd = must(socket(AF_INET6, SOCK_STREAM, 0));

	*name = (struct sockaddr_in6){.sin6_family = AF_INET6};
	must(bind(fd, (void *)name, sizeof(*name)));
	must(listen(fd, 5));
	must(getsockname(fd, (void *)name, &(socklen_t){sizeof(*name)}));
	name->sin6_addr = in6addr_loopback;
	return fd;
}

/* The next one is this client's. */
static void accept_from(int listener, int client)
{
	struct sockaddr_in6 name = {0}, own = {0};
	socklen_t len = sizeof(name), own_len = sizeof(own);
	int fd = accept(listener, (void *)&name, &len);
	char byte = 0;

	check(fd >= 0 && !getsockname(client, (void *)&own, &own_len), "%s", strerror(errno));
	check(name.sin6_port == own.sin6_port, "port %d, not %d", ntohs(name.sin6_port),
	      ntohs(own.sin6_port));
	check(send(client, "c", 1, 0) == 1 && recv(fd, &byte, 1, 0) == 1 && byte == 'c');
	check(send(fd, "s", 1, 0) == 1 && recv(client, &byte, 1, 0) == 1 && byte == 's');
	close(fd);
	check(recv(client, &byte, 1, 0) == 0);
}

int main(void)
{
	int client[CLIENTS], mapped, client6, listener6;
	struct sockaddr_in6 name6;
	struct tcp_pair p;

	tcp_listen(&p, 0);
	for (int i = 0; i < CLIENTS; i++) {
		client[i] = must(socket(AF_INET, SOCK_STREAM, 0));
		must(tcp_connect(&p, client[i]));
		poll(NULL, 0, 5); /* the kernel tells milliseconds */
	}
	listener6 = listen6(&name6);
	client6 = must(socket(AF_INET6, SOCK_STREAM, 0));
	must(connect(client6, (void *)&name6, sizeof(name6)));
	poll(NULL, 0, 5);
	p.name.sin_port = name6.sin6_port;
	mapped = must(socket(AF_INET, SOCK_STREAM, 0));
	must(tcp_connect(&p, mapped));

	checkpoint();
	for (int i = 0; i < CLIENTS; i++)
		accept_from(p.listener, client[i]);
	accept_from(listener6, client6);
	accept_from(listener6, mapped);
	return test_end();
}
