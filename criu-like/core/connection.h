#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "core/task.h"
#include "kernel/nftables.h"

/*
 * TCP connections that tasks hold, by the names of their two ends. Listening sockets and those that
 * were never connected, or are closed, are none: no packet of theirs can be under way.
 */
struct connection {
	struct nft_pair pair;
	const struct task *task; /* who holds it ... */
	int number;		 /* ... under this number */
	bool waits; /* its other end waits in the queue of a listener of the tree ... */
	uint32_t waiting_bytes; /* ... and has received so much */
};
struct connections {
	struct arena *arena;
	VEC(struct connection) list;
	VEC(uint16_t) listener; /* ports, network byte order */
	struct map by_pair, by_inode;
};

void connections_init(struct connections *c, struct arena *a);
/* Adds what is open under this number of a task (pidfd) if it is one; each socket once. */
struct stat;
int connections_add(struct connections *c, const struct task *t, int number, const struct stat *st);
/* All in the descriptor table of a task (proc_fd, pidfd). Both: 0 or -errno. */
int connections_add_all(struct connections *c, const struct task *t);
/* Whether this end is among them. */
bool connections_has(const struct connections *c, const struct nft_pair *p);
/* Whether both ends of the connection are among them. */
bool connections_both(const struct connections *c, const struct nft_pair *p);
/*
 * 1: the other end is not among them, as it waits to be accepted from a listener of the tree; the
 * bytes that it has received. 0: it does not; -errno: the kernel does not say.
 */
int connections_waits(const struct connections *c, const struct nft_pair *p, uint32_t *ret_bytes);
/* The names of a connected socket: 0, -ENOTCONN, or another -errno. */
int connection_pair(int fd, struct nft_pair *ret);
/* Its state, TCP_x; -errno for anything but a TCP socket. */
int connection_state(int fd);
