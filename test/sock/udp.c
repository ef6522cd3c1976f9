/* UDP sockets: names of both families, the queue with senders and ancillary data, shutdown, ports
 * that several sockets share by options that are off by now. */
/* harness: net */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../lib/test.h"

static int option(int fd, int level, int name)
{
	int value = -1;

	check(!getsockopt(fd, level, name, &value, &(socklen_t){sizeof(value)}));
	return value;
}

static void set(int fd, int level, int name, int value)
{
	must(setsockopt(fd, level, name, &value, sizeof(value)));
}

static struct sockaddr_in v4(const char *address, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	must(inet_pton(AF_INET, address, &a.sin_addr));
	return a;
}

static int bound(const char *address, int port, int option_name)
{
	struct sockaddr_in a = v4(address, port);
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));

	if (option_name)
		set(fd, SOL_SOCKET, option_name, 1);
	must(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

static void put(int fd, int port, const char *text)
{
	struct sockaddr_in a = v4("127.0.0.1", port);

	must(sendto(fd, text, strlen(text), 0, (void *)&a, sizeof(a)));
}

/* What comes next, from which port; the wanted control message, -1: none. */
static void expect(int fd, const char *text, int port, int want)
{
	struct sockaddr_in from = {0};
	char buf[100], control[200];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_name = &from,
			   .msg_namelen = sizeof(from),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;

	check(n == (ssize_t)strlen(text) && !memcmp(buf, text, strlen(text)), "%zd %s", n, text);
	check(ntohs(from.sin_port) == port, "%d", ntohs(from.sin_port));
	if (want >= 0)
		check(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == want);
	if (c && want == IP_TTL)
		check(*(int *)(void *)CMSG_DATA(c) == 33, "%d", *(int *)(void *)CMSG_DATA(c));
}

static int mapped(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(4001)};
	int fd = must(socket(AF_INET6, SOCK_DGRAM, 0));

	must(inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.sin6_addr));
	must(connect(fd, (void *)&a, sizeof(a)));
	return fd;
}

int main(void)
{
	int server = bound("0.0.0.0", 4001, 0), client = bound("127.0.0.1", 4002, 0);
	int half = bound("127.0.0.1", 4003, 0), six = mapped();
	int first = bound("127.0.0.1", 4010, SO_REUSEADDR), second;
	int group[2] = {bound("127.0.0.1", 4011, SO_REUSEPORT), 0}, addressed, free_bound;
	struct sockaddr_in a = v4("127.0.0.1", 0), away = v4("198.51.100.7", 4020);

	set(server, IPPROTO_IP, IP_RECVTTL, 1);
	set(client, IPPROTO_IP, IP_TTL, 33);
	put(client, 4001, "one");
	put(client, 4001, "");
	put(half, 4001, "three");
	(void)shutdown(half, SHUT_WR);
	second = bound("127.0.0.1", 4010, SO_REUSEADDR);
	set(first, SOL_SOCKET, SO_REUSEADDR, 0);
	group[1] = bound("127.0.0.1", 4011, SO_REUSEPORT);
	set(group[0], SOL_SOCKET, SO_REUSEPORT, 0);
	addressed = must(socket(AF_INET, SOCK_DGRAM, 0));
	set(addressed, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	must(bind(addressed, (void *)&a, sizeof(a)));
	free_bound = must(socket(AF_INET, SOCK_DGRAM, 0));
	set(free_bound, IPPROTO_IP, IP_FREEBIND, 1);
	must(bind(free_bound, (void *)&away, sizeof(away)));
	set(free_bound, IPPROTO_IP, IP_FREEBIND, 0);

	checkpoint();
	expect(server, "one", 4002, IP_TTL);
	expect(server, "", 4002, IP_TTL);
	expect(server, "three", 4003, -1);
	a = v4("127.0.0.1", 4001);
	check(sendto(half, "x", 1, MSG_NOSIGNAL, (void *)&a, sizeof(a)) < 0 && errno == EPIPE);
	check(send(six, "six", 3, 0) == 3);
	check(recv(server, &a, sizeof(a), MSG_DONTWAIT) == 3);
	check(!option(first, SOL_SOCKET, SO_REUSEADDR) && option(second, SOL_SOCKET, SO_REUSEADDR));
	check(!option(group[0], SOL_SOCKET, SO_REUSEPORT));
	put(client, 4010, "to the last");
	expect(second, "to the last", 4002, -1);
	check(getsockname(addressed, (void *)&a, &(socklen_t){sizeof(a)}) == 0 && !a.sin_port);
	check(!option(free_bound, IPPROTO_IP, IP_FREEBIND));
	return test_end();
}
