/*
 * One exact question to sock_diag(7) about a unix socket, by its inode. The answer is a netlink
 * message with attributes; unknown ones are skipped. The kernel module is loaded by the question.
 */
#include "kernel/unix-diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "kernel/sys.h"

static int ask(int fd, uint32_t ino)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = ~0U,
			 .udiag_ino = ino,
			 .udiag_show = UDIAG_SHOW_PEER,
			 .udiag_cookie = { ~0U, ~0U } },
	};
	long r = sys(SYS_sendto, fd, &m, sizeof(m), 0, NULL, 0);

	return r < 0 ? (int)r : 0;
}

static void read_attributes(const struct unix_diag_msg *m, size_t len, struct unix_diag *ret)
{
	const struct rtattr *a = (const struct rtattr *)(m + 1);

	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= 4) {
			ret->has_peer = true;
			memcpy(&ret->peer, RTA_DATA(a), 4);
		} else if (a->rta_type == UNIX_DIAG_SHUTDOWN && RTA_PAYLOAD(a) >= 1) {
			ret->shutdown = *(const uint8_t *)RTA_DATA(a);
		}
	}
}

int unix_diag_get(uint32_t ino, struct unix_diag *ret)
{
	_close_ int fd =
		(int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} b;
	long n;
	int r = fd < 0 ? fd : ask(fd, ino);

	if (r)
		return r;
	n = sys(SYS_recvfrom, fd, b.bytes, sizeof(b.bytes), 0, NULL, NULL);
	if (n < 0)
		return (int)n;
	if (!NLMSG_OK(&b.head, (size_t)n))
		return -EBADMSG;
	if (b.head.nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(&b.head))->error;
	if (b.head.nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
		return -EBADMSG;
	const struct unix_diag_msg *m = NLMSG_DATA(&b.head);

	*ret = (struct unix_diag){ .type = m->udiag_type, .state = m->udiag_state };
	read_attributes(m, b.head.nlmsg_len - NLMSG_LENGTH(sizeof(*m)), ret);
	return 0;
}
