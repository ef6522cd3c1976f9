/*
 * Which TCP connections a tree has. Sockets are found by the type of what a descriptor leads to
 * (statx through /proc, no copy of other files is made: closing one could ask a file server that is
 * stopped), and asked themselves through pidfd_getfd: exact, and linear in the number of
 * descriptors. SO_PEERNAME tells the other end in every state, getpeername(2) does not. An IPv6
 * socket with an IPv4-mapped name sends IPv4 packets.
 */
#include "core/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/descriptor.h"
#include "kernel/inet-diag.h"
#include "kernel/proc-list.h"

union inet_name {
	struct sockaddr head;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void connections_init(struct connections *c, struct arena *a)
{
	*c = (struct connections){ .arena = a };
	map_init(&c->by_pair, a);
	map_init(&c->by_inode, a);
}

int connection_state(int fd)
{
	uint8_t state = 0;
	uint32_t len = sizeof(state), protocol_len = sizeof(int);
	int protocol = 0;
	long r = sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_len);

	if (!r && protocol != IPPROTO_TCP)
		return -EPROTOTYPE;
	if (!r) /* the first byte of the answer */
		r = sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &len);
	return r ? (int)r : state;
}

static bool split(const union inet_name *n, uint8_t addr[16], uint16_t *ret_port)
{
	bool v6 = n->head.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&n->v6.sin6_addr);

	if (n->head.sa_family == AF_INET)
		memcpy(addr, &n->v4.sin_addr, 4);
	else if (!v6)
		memcpy(addr, &n->v6.sin6_addr.s6_addr[12], 4);
	else
		memcpy(addr, &n->v6.sin6_addr, 16);
	*ret_port = n->head.sa_family == AF_INET ? n->v4.sin_port : n->v6.sin6_port;
	return v6;
}

int connection_pair(int fd, struct nft_pair *ret)
{
	union inet_name local = { 0 }, remote = { 0 };
	uint32_t len = sizeof(local); /* then that of the family: more is refused */
	struct nft_pair p = { 0 };
	long r = sys(SYS_getsockname, fd, &local, &len);

	if (!r)
		r = sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERNAME, &remote, &len);
	if (r)
		return (int)r;
	p.v6 = split(&local, p.local, &p.local_port);
	if (split(&remote, p.remote, &p.remote_port) != p.v6)
		return -EAFNOSUPPORT;
	*ret = p;
	return 0;
}

/* Exact for IPv4: address and port. */
static uint64_t end_key(bool v6, const uint8_t addr[16], uint16_t port)
{
	uint64_t half[2] = { 0, 0 };

	memcpy(half, addr, v6 ? 16 : 4);
	if (v6)
		half[0] = (half[0] ^ half[1] << 23 ^ half[1] >> 41) * 0x9e3779b97f4a7c15ULL ^
			  half[1];
	return half[0] ^ (uint64_t)port << 32;
}

static uint64_t local_key(const struct nft_pair *p)
{
	return end_key(p->v6, p->local, p->local_port);
}

static uint64_t remote_key(const struct nft_pair *p)
{
	return end_key(p->v6, p->remote, p->remote_port);
}

bool connections_has(const struct connections *c, const struct nft_pair *p)
{
	return map_get(&c->by_pair, local_key(p), remote_key(p));
}

bool connections_both(const struct connections *c, const struct nft_pair *p)
{
	return connections_has(c, p) && map_get(&c->by_pair, remote_key(p), local_key(p));
}

int connections_waits(const struct connections *c, const struct nft_pair *p, uint32_t *ret_bytes)
{
	bool listens = false;
	int r;

	vec_foreach(port, &c->listener)
		listens |= *port == p->remote_port;
	if (!listens || map_get(&c->by_pair, remote_key(p), local_key(p)))
		return 0;
	r = inet_diag_unaccepted(p, ret_bytes);
	return r == -ENOENT ? 0 : r ?: 1;
}

static int add_listener(struct connections *c, int fd)
{
	union inet_name name = { 0 };
	uint32_t len = sizeof(name);
	long r = sys(SYS_getsockname, fd, &name, &len);

	if (!r)
		*vec_push(c->arena, &c->listener) = name.head.sa_family == AF_INET
							    ? name.v4.sin_port
							    : name.v6.sin6_port;
	return (int)r;
}

static int add(struct connections *c, const struct task *t, int number)
{
	_close_ int fd = sys_pidfd_getfd(t->pidfd, number);
	struct connection *n;
	struct nft_pair pair;
	int state = fd < 0 ? fd : connection_state(fd), r;

	if (fd < 0)
		return fd;
	if (state == TCP_LISTEN)
		return add_listener(c, fd);
	if (state == -EPROTOTYPE || state == -ENOPROTOOPT || state == TCP_CLOSE)
		return 0; /* no TCP, or no connection */
	r = state < 0 ? state : connection_pair(fd, &pair);
	if (r)
		return r;
	n = vec_push(c->arena, &c->list);
	*n = (struct connection){ pair, t, number, false, 0 };
	map_put(&c->by_pair, local_key(&pair), remote_key(&pair), c);
	return 0;
}

int connections_add(struct connections *c, const struct task *t, int number, const struct stat *st)
{
	if (!S_ISSOCK(st->st_mode) || map_get(&c->by_inode, st->st_dev, st->st_ino))
		return 0;
	map_put(&c->by_inode, st->st_dev, st->st_ino, c);
	return add(c, t, number);
}

int connections_add_all(struct connections *c, const struct task *t)
{
	struct proc_list number;
	int r = proc_list_at(c->arena, t->proc_fd, "fd", &number);

	for (size_t i = 0; !r && i < number.n; i++) {
		char name[16];
		struct stat st;

		(void)snprintf(name, sizeof(name), "fd/%d", number.v[i]); /* always fits */
		if (!sys_stat(t->proc_fd, name, 0, &st, NULL)) /* else it is closed, or gone */
			r = connections_add(c, t, number.v[i], &st);
	}
	return r;
}
