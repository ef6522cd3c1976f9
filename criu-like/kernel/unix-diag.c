/*
 * All unix sockets of a network namespace by sock_diag(7): names, peers, listeners' queues. The
 * answer is a series of netlink messages with attributes; unknown ones are skipped. A question
 * about a single socket makes the kernel walk over all of them too, so one question serves a whole
 * dump. The kernel module is loaded by the question. A dump that the kernel interrupted because a
 * socket came or went (NLM_F_DUMP_INTR) may miss some: it is asked again.
 */
#include "kernel/unix-diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "kernel/sys.h"

enum { ANSWER_BYTES = 64 << 10, TRIES = 5 };

static int ask(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = ~0U,
			 .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_NAME | UDIAG_SHOW_VFS |
				       UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN,
			 .udiag_cookie = { ~0U, ~0U } },
	};
	long r = sys(SYS_sendto, fd, &m, sizeof(m), 0, NULL, 0);

	return r < 0 ? (int)r : 0;
}

static uint32_t number(const struct rtattr *a, size_t index)
{
	uint32_t n = 0;

	if (RTA_PAYLOAD(a) >= 4 * (index + 1))
		memcpy(&n, (const char *)RTA_DATA(a) + 4 * index, 4);
	return n;
}

static void read_attribute(struct arena *a, const struct rtattr *attr, struct unix_diag *u)
{
	const void *data = RTA_DATA(attr);
	size_t len = RTA_PAYLOAD(attr);

	switch (attr->rta_type) {
	case UNIX_DIAG_NAME:
		u->name = (struct span){ arena_memdup(a, data, len), len };
		break;
	case UNIX_DIAG_VFS:
		u->file_ino = number(attr, 0);
		u->file_dev = makedev(number(attr, 1) >> 20, number(attr, 1) & 0xfffff);
		break;
	case UNIX_DIAG_PEER:
		u->has_peer = true;
		u->peer = number(attr, 0);
		break;
	case UNIX_DIAG_ICONS:
		u->icons = arena_memdup(a, data, len);
		u->n_icon = len / sizeof(uint32_t);
		break;
	case UNIX_DIAG_RQLEN:
		u->backlog = number(attr, 1);
		break;
	case UNIX_DIAG_SHUTDOWN:
		u->shutdown = len ? *(const uint8_t *)data : 0;
		break;
	default:
		break;
	}
}

static void read_message(struct arena *a, struct unix_sockets *s, const struct nlmsghdr *h)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	size_t len = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
	struct unix_diag *u = vec_push(a, &s->all);
	const struct rtattr *attr = (const struct rtattr *)(m + 1);

	*u = (struct unix_diag){ .ino = m->udiag_ino, .type = m->udiag_type,
				 .state = m->udiag_state };
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		read_attribute(a, attr, u);
}

/* 1: the end, 0: more is to come, -EAGAIN: something changed meanwhile. */
static int read_block(struct arena *a, struct unix_sockets *s, const char *buf, size_t n)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;

	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error ?: -EBADMSG;
		if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
			return -EBADMSG;
		read_message(a, s, h);
	}
	return 0;
}

static int read_all(struct arena *a, struct unix_sockets *s)
{
	_close_ int fd =
		(int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	char *buf = arena_alloc(a, ANSWER_BYTES);
	int r = fd < 0 ? fd : ask(fd);

	while (!r) {
		long n = sys(SYS_recvfrom, fd, buf, ANSWER_BYTES, 0, NULL, NULL);

		r = n < 0 ? (int)n : !n ? -EBADMSG : read_block(a, s, buf, (size_t)n);
	}
	return r < 0 ? r : 0;
}

static uint64_t name_hash(struct span name)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * 0x100000001b3ULL;
	return h;
}

static void index_one(struct arena *a, struct unix_sockets *s, struct unix_diag *u)
{
	struct unix_sharing *sharing;

	if (u->ino)
		map_put(&s->by_ino, u->ino, 0, u);
	for (size_t i = 0; i < u->n_icon; i++)
		if (u->icons[i])
			map_put(&s->waiting, u->icons[i], 0, u);
	if (!u->name.len)
		return;
	sharing = map_get(&s->by_name, u->type, name_hash(u->name));
	if (!sharing) {
		sharing = arena_new(a, struct unix_sharing);
		map_put(&s->by_name, u->type, name_hash(u->name), sharing);
	}
	*vec_push(a, &sharing->socket) = u;
}

int unix_sockets_read(struct arena *a, struct unix_sockets *ret)
{
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		*ret = (struct unix_sockets){ 0 };
		r = read_all(a, ret);
	}
	if (r && r != -EAGAIN)
		return r;
	map_init(&ret->by_ino, a);
	map_init(&ret->by_name, a);
	map_init(&ret->waiting, a);
	vec_foreach(u, &ret->all)
		index_one(a, ret, u);
	return 0;
}

const struct unix_diag *unix_sockets_find(const struct unix_sockets *s, uint64_t ino)
{
	return map_get(&s->by_ino, ino, 0);
}

const struct unix_sharing *unix_sockets_named(const struct unix_sockets *s, uint32_t type,
					      struct span name)
{
	return map_get(&s->by_name, type, name_hash(name));
}
