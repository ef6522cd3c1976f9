/* Sockets of the audit system are known to it by their port. */
/* harness: net refused=audit */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	if (socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) < 0)
		skip("no audit system: %s", strerror(errno));
	checkpoint();
	return test_end();
}
