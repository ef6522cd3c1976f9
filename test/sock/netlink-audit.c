/* A socket that has a port may be what the audit system knows as its daemon. */
/* harness: net refused=audit */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	if (fd < 0)
		skip("no audit system: %s", strerror(errno));
	must(bind(fd, (void *)&a, sizeof(a)));
	checkpoint();
	return test_end();
}
