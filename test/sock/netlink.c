/* Netlink sockets: a port chosen by the program, groups above 32, the default destination, options;
 * events and answers come after it. */
/* harness: net */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../lib/test.h"

enum { HIGH_GROUP = 35 };

static int make(int protocol, uint32_t port, int group)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = port};
	int fd = must(socket(AF_NETLINK, SOCK_RAW, protocol));

	if (port)
		must(bind(fd, (void *)&a, sizeof(a)));
	if (group)
		must(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4));
	return fd;
}

/* Makes an event of RTNLGRP_LINK. */
static void change_mtu(int mtu)
{
	struct ifreq q = {.ifr_name = "lo"};
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));

	q.ifr_mtu = mtu;
	check(!ioctl(fd, SIOCSIFMTU, &q), "%s", strerror(errno));
	close(fd);
}

int main(void)
{
	int links = make(NETLINK_ROUTE, 123456, RTNLGRP_LINK);
	int high = make(NETLINK_ROUTE, 0, HIGH_GROUP), uevents = make(NETLINK_KOBJECT_UEVENT, 0, 1);
	int client = make(NETLINK_ROUTE, 0, 0), value = 0;
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} q = {{sizeof(q), RTM_GETLINK, NLM_F_REQUEST, 5, 0}, {.ifi_index = 1}};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK}, a;
	uint32_t groups[4] = {0};
	char buf[8192];
	struct nlmsghdr *h = (void *)buf;

	must(connect(client, (void *)&kernel, sizeof(kernel)));
	must(setsockopt(client, SOL_NETLINK, NETLINK_EXT_ACK, &(int){1}, 4));
	must(setsockopt(uevents, SOL_SOCKET, SO_PASSCRED, &(int){1}, 4));

	checkpoint();
	check(!getsockname(links, (void *)&a, &(socklen_t){sizeof(a)}) && a.nl_pid == 123456);
	change_mtu(60000);
	check(recv(links, buf, sizeof(buf), 0) > 0 && h->nlmsg_type == RTM_NEWLINK);
	check(!getsockopt(high, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups,
			  &(socklen_t){sizeof(groups)}) &&
	      groups[1] == 1U << (HIGH_GROUP - 33));
	check(!getsockopt(client, SOL_NETLINK, NETLINK_EXT_ACK, &value, &(socklen_t){4}) && value);
	check(send(client, &q, sizeof(q), 0) == sizeof(q));
	check(recv(client, buf, sizeof(buf), 0) > 0 && h->nlmsg_type == RTM_NEWLINK &&
	      h->nlmsg_seq == 5);
	return test_end();
}
