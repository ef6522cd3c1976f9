/* An answer of the kernel that was not read: nobody else could send it. */
/* harness: net refused=netlink */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	struct {
		struct nlmsghdr head;
		struct rtgenmsg info;
	} q = {{sizeof(q), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 5, 0}, {0}};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int fd = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	char buf[8192];

	must(sendto(fd, &q, sizeof(q), 0, (void *)&kernel, sizeof(kernel)));
	checkpoint();
	check(recv(fd, buf, sizeof(buf), 0) > 0);
	return test_end();
}
