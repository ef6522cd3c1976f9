/* Classic filters byte by byte, of several kinds of sockets, one of them locked; they still work.
 */
/* harness: net */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../lib/test.h"

/* Only datagrams whose first byte (after the UDP header) is 'a'. */
static struct sock_filter only_a[] = {
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

static void attach(int fd)
{
	struct sock_fprog f = {.len = 4, .filter = only_a};

	must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)));
}

static void expect_filter(int fd)
{
	struct sock_filter code[8];
	socklen_t n = 8;

	check(!getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &n) && n == 4, "%u", n);
	check(!memcmp(code, only_a, sizeof(only_a)));
}

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(4800),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int udp = must(socket(AF_INET, SOCK_DGRAM, 0)), pair[2];
	int netlink = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	int from = must(socket(AF_INET, SOCK_DGRAM, 0));
	char buf[10];

	must(bind(udp, (void *)&a, sizeof(a)));
	must(sendto(from, "before", 6, 0, (void *)&a, sizeof(a)));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	attach(udp);
	attach(netlink);
	attach(pair[0]);
	must(setsockopt(udp, SOL_SOCKET, SO_LOCK_FILTER, &(int){1}, 4));

	checkpoint();
	expect_filter(udp);
	expect_filter(netlink);
	expect_filter(pair[0]);
	check(setsockopt(udp, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, 4) && errno == EPERM);
	check(recv(udp, buf, sizeof(buf), MSG_DONTWAIT) == 6);
	check(sendto(from, "bad", 3, 0, (void *)&a, sizeof(a)) == 3);
	check(sendto(from, "abc", 3, 0, (void *)&a, sizeof(a)) == 3);
	check(recv(udp, buf, sizeof(buf), 0) == 3 && !memcmp(buf, "abc", 3));
	return test_end();
}
