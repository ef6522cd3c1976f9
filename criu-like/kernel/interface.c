/*
 * Names and indices of network interfaces: two ioctls on a socket that is made for the question.
 * Netlink would tell as well, with a list of everything else. Answers are of the moment: interfaces
 * are renamed while they are down.
 */
#include "kernel/interface.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "kernel/descriptor.h"

static int ask(unsigned long request, struct ifreq *q)
{
	_close_ int fd = (int)sys(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? fd : sys_ioctl(fd, request, q);
}

int interface_index(const char *name)
{
	struct ifreq q = { 0 };
	int r;

	strncpy(q.ifr_name, name, IF_NAMESIZE - 1);
	r = ask(SIOCGIFINDEX, &q);
	return r ? r : q.ifr_ifindex;
}

int interface_name(int index, char ret[IF_NAMESIZE])
{
	struct ifreq q = { .ifr_ifindex = index };
	int r = ask(SIOCGIFNAME, &q);

	if (!r) {
		memcpy(ret, q.ifr_name, IF_NAMESIZE);
		ret[IF_NAMESIZE - 1] = 0;
	}
	return r;
}
