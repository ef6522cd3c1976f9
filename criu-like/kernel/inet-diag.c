/*
 * One question to sock_diag(7) about an internet socket: a list of the sockets of a protocol that
 * have one local port, searched for the inode; one connection is found by its name. Raw and echo
 * sockets are not listed by all kernels, and sockets without a port by none.
 */
#include "kernel/inet-diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "kernel/sys.h"

enum { ESTABLISHED = 1, CLOSE_WAIT = 8 };

static int ask(int fd, const struct inet_diag_question *q)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = q->family,
			 .sdiag_protocol = q->protocol,
			 .idiag_ext = 1 << (INET_DIAG_SHUTDOWN - 1),
			 .idiag_states = ~0U,
			 .id = { .idiag_sport = htons(q->port) } },
	};
	long r = sys(SYS_sendto, fd, &m, sizeof(m), 0, NULL, 0);

	return r < 0 ? (int)r : 0;
}

static uint32_t shutdown_of(const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const struct rtattr *a = (const struct rtattr *)(m + 1);
	size_t len = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));

	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == INET_DIAG_SHUTDOWN && RTA_PAYLOAD(a) >= 1)
			return *(const uint8_t *)RTA_DATA(a);
	return 0;
}

/* 1: found, 0: go on, -errno: the end. */
static int search(const struct nlmsghdr *h, size_t len, uint32_t inode, uint32_t *ret)
{
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return -ENOENT;
		if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->idiag_inode != inode)
			continue;
		*ret = shutdown_of(h);
		return 1;
	}
	return 0;
}

int inet_diag_shutdown(const struct inet_diag_question *q, uint32_t *ret)
{
	_close_ int fd =
		(int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	union {
		struct nlmsghdr head;
		char bytes[16384];
	} b;
	int r = fd < 0 ? fd : ask(fd, q);

	while (!r) {
		long n = sys(SYS_recvfrom, fd, b.bytes, sizeof(b.bytes), 0, NULL, NULL);

		r = n < 0 ? (int)n : search(&b.head, (size_t)n, q->inode, ret);
	}
	return r > 0 ? 0 : r;
}

static int ask_one(int fd, const struct nft_pair *p)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.req = { .sdiag_family = p->v6 ? AF_INET6 : AF_INET,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = ~0U,
			 .id = { .idiag_sport = p->remote_port,
				 .idiag_dport = p->local_port,
				 .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};
	long r;

	memcpy(m.req.id.idiag_src, p->remote, p->v6 ? 16 : 4);
	memcpy(m.req.id.idiag_dst, p->local, p->v6 ? 16 : 4);
	r = sys(SYS_sendto, fd, &m, sizeof(m), 0, NULL, 0);
	return r < 0 ? (int)r : 0;
}

int inet_diag_unaccepted(const struct nft_pair *p, uint32_t *ret_bytes)
{
	_close_ int fd =
		(int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	union {
		struct nlmsghdr head;
		char bytes[4096];
	} b;
	const struct inet_diag_msg *m = NLMSG_DATA(&b.head);
	int r = fd < 0 ? fd : ask_one(fd, p);
	long n = r ? r : sys(SYS_recvfrom, fd, b.bytes, sizeof(b.bytes), 0, NULL, NULL);

	if (n < 0)
		return (int)n;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*m)) || b.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    (m->idiag_state != ESTABLISHED && m->idiag_state != CLOSE_WAIT) || m->idiag_inode ||
	    m->id.idiag_dport != p->local_port)
		return -ENOENT;
	*ret_bytes = m->idiag_rqueue;
	return 0;
}
