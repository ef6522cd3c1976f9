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
};
struct connections {
	struct arena *arena;
	VEC(struct connection) list;
	struct map by_pair, by_inode;
};

void connections_init(struct connections *c, struct arena *a);
/*
 * Adds those in the descriptor table of a task (proc_fd, pidfd), parents first; each socket once.
 * `number`: all that are open there if none of them is closed; NULL: not known. 0 or -errno.
 */
struct proc_list;
int connections_add(struct connections *c, const struct task *t, const struct proc_list *number);
/* Whether this end is among them. */
bool connections_has(const struct connections *c, const struct nft_pair *p);
/* Whether both ends of the connection are among them. */
bool connections_both(const struct connections *c, const struct nft_pair *p);
/* The names of a connected socket: 0, -ENOTCONN, or another -errno. */
int connection_pair(int fd, struct nft_pair *ret);
/* Its state, TCP_x; -errno for anything but a TCP socket. */
int connection_state(int fd);
