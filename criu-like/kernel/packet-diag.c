/*
 * One question to sock_diag(7) about a packet socket: a list of all of them, searched for the
 * inode, since the kernel has no other. Attributes that are absent mean the default; unknown ones
 * are skipped.
 */
#include "kernel/packet-diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "kernel/sys.h"

static int ask(int fd)
{
	struct {
		struct nlmsghdr head;
		struct packet_diag_req req;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_PACKET,
			 .pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MCLIST |
				       PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT },
	};
	long r = sys(SYS_sendto, fd, &m, sizeof(m), 0, NULL, 0);

	return r < 0 ? (int)r : 0;
}

static void read_members(struct arena *a, const struct rtattr *attr, struct packet_diag *ret)
{
	const struct packet_diag_mclist *m = RTA_DATA(attr);

	for (size_t i = 0; i < RTA_PAYLOAD(attr) / sizeof(*m); i++) {
		struct packet_diag_member k = { .index = m[i].pdmc_index,
						.count = m[i].pdmc_count,
						.type = m[i].pdmc_type,
						.len = m[i].pdmc_alen };

		memcpy(k.address, m[i].pdmc_addr, sizeof(k.address));
		*vec_push(a, &ret->member) = k;
	}
}

static void read_ring(const struct rtattr *attr, struct packet_diag_geometry *ret)
{
	const struct packet_diag_ring *m = RTA_DATA(attr);

	if (RTA_PAYLOAD(attr) >= sizeof(*m))
		*ret = (struct packet_diag_geometry){
			m->pdr_block_size, m->pdr_block_nr,   m->pdr_frame_size, m->pdr_frame_nr,
			m->pdr_retire_tmo, m->pdr_sizeof_priv, m->pdr_features,
		};
}

static void read_attribute(struct arena *a, const struct rtattr *attr, struct packet_diag *ret)
{
	const struct packet_diag_info *info = RTA_DATA(attr);

	switch (attr->rta_type) {
	case PACKET_DIAG_INFO:
		if (RTA_PAYLOAD(attr) < sizeof(*info))
			break;
		ret->index = info->pdi_index;
		ret->copy_thresh = info->pdi_copy_thresh;
		break;
	case PACKET_DIAG_MCLIST:
		read_members(a, attr, ret);
		break;
	case PACKET_DIAG_RX_RING:
		read_ring(attr, &ret->rx);
		break;
	case PACKET_DIAG_TX_RING:
		read_ring(attr, &ret->tx);
		break;
	case PACKET_DIAG_FANOUT:
		if (RTA_PAYLOAD(attr) >= sizeof(ret->fanout))
			memcpy(&ret->fanout, RTA_DATA(attr), sizeof(ret->fanout));
		break;
	default:
		break;
	}
}

static void read_socket(struct arena *a, const struct nlmsghdr *h, struct packet_diag *ret)
{
	const struct packet_diag_msg *m = NLMSG_DATA(h);
	const struct rtattr *attr = (const struct rtattr *)(m + 1);
	size_t len = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));

	*ret = (struct packet_diag){ .protocol = m->pdiag_num };
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		read_attribute(a, attr, ret);
}

int packet_diag_get(struct arena *a, uint32_t inode, struct packet_diag *ret)
{
	_close_ int fd =
		(int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	union {
		struct nlmsghdr head;
		char bytes[32768];
	} b;
	int r = fd < 0 ? fd : ask(fd);

	while (!r) {
		long n = sys(SYS_recvfrom, fd, b.bytes, sizeof(b.bytes), 0, NULL, NULL);
		const struct nlmsghdr *h = &b.head;
		size_t left = n < 0 ? 0 : (size_t)n;

		if (n < 0)
			return (int)n;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct packet_diag_msg *m = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return -ENOENT;
			if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->pdiag_ino != inode)
				continue;
			read_socket(a, h, ret);
			return 0;
		}
	}
	return r;
}
