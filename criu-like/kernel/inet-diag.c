/*
 * One question to sock_diag(7) about an internet socket: a list of the sockets of a protocol that
 * have one local port, searched for the inode; one connection is found by its name, and can be
 * ended (4.5, CONFIG_INET_DIAG_DESTROY). Raw and echo sockets are not listed by all kernels, and
 * sockets without a port by none.
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

/* --- by addresses -------------------------------------------------------------------------------
 */
/* Of sockets that were closed. Without a descriptor are those as well that nobody accepted yet. */
enum { FIN_WAIT1 = 4, FIN_WAIT2, TIME_WAIT, LAST_ACK = 9, CLOSING = 11 };
static const uint32_t closed_states = 1 << FIN_WAIT1 | 1 << FIN_WAIT2 | 1 << TIME_WAIT |
				      1 << LAST_ACK | 1 << CLOSING;

static void put_address(const struct sockaddr *a, __be32 *address, __be16 *port)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;

	*port = a->sa_family == AF_INET ? four->sin_port : six->sin6_port;
	if (a->sa_family == AF_INET)
		memcpy(address, &four->sin_addr, sizeof(four->sin_addr));
	else
		memcpy(address, &six->sin6_addr, sizeof(six->sin6_addr));
}

static int send_one(int fd, uint16_t type, uint8_t family, const struct inet_diag_sockid *id)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
			  .nlmsg_type = type,
			  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST |
						    (type == SOCK_DESTROY ? NLM_F_ACK : 0)) },
		.req = { .sdiag_family = family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = ~0U,
			 .id = *id },
	};
	long r = sys(SYS_sendto, fd, &m, sizeof(m), 0, NULL, 0);

	return r < 0 ? (int)r : 0;
}

/* The one message that answers: its length, or the error that it is. */
static int receive_one(int fd, void *buf, size_t size)
{
	const struct nlmsghdr *h = buf;
	const struct nlmsgerr *e = NLMSG_DATA(h);
	long n = sys(SYS_recvfrom, fd, buf, size, 0, NULL, NULL);

	if (n < 0)
		return (int)n;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*e)) || h->nlmsg_len > (size_t)n)
		return -EPROTO;
	return h->nlmsg_type == NLMSG_ERROR ? e->error : (int)n;
}

int inet_diag_end_orphan(const struct sockaddr *local, const struct sockaddr *peer)
{
	_close_ int fd =
		(int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct inet_diag_sockid id = { .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } };
	union {
		struct nlmsghdr head;
		char bytes[8192];
	} b;
	const struct inet_diag_msg *m = NLMSG_DATA(&b.head);
	int r = fd < 0 ? fd : 0;

	put_address(local, id.idiag_src, &id.idiag_sport);
	put_address(peer, id.idiag_dst, &id.idiag_dport);
	r = r ?: send_one(fd, SOCK_DIAG_BY_FAMILY, (uint8_t)local->sa_family, &id);
	r = r ?: receive_one(fd, &b, sizeof(b));
	if (r < 0)
		return r;
	if ((size_t)r < NLMSG_LENGTH(sizeof(*m)) || m->idiag_inode ||
	    m->idiag_state > CLOSING || !(closed_states >> m->idiag_state & 1))
		return -ENOENT;
	id = m->id;
	r = send_one(fd, SOCK_DESTROY, m->idiag_family, &id);
	return r ?: receive_one(fd, &b, sizeof(b));
}
