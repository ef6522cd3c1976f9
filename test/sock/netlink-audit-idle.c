/* A socket of the audit system that was never used, as message buses keep one. */
/* harness: net */
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	struct nlmsghdr q = {sizeof(q), AUDIT_GET, NLM_F_REQUEST | NLM_F_ACK, 7, 0}, h[64];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	if (fd < 0)
		skip("no audit system: %s", strerror(errno));
	checkpoint();
	check(!getsockname(fd, (void *)&a, &(socklen_t){sizeof(a)}) && !a.nl_pid, "%u", a.nl_pid);
	check(sendto(fd, &q, sizeof(q), 0, (void *)&(struct sockaddr_nl){AF_NETLINK, 0, 0, 0},
		     sizeof(a)) == sizeof(q));
	check(recv(fd, h, sizeof(h), 0) > 0 && h[0].nlmsg_seq == 7);
	return test_end();
}
