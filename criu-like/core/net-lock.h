#pragma once
#include "core/connection.h"
#include "core/dump.h"
#include "core/restore.h"

/*
 * The network lock: a table of nf_tables that drops the packets of the tree's TCP connections while
 * their sockets are being saved, between dump and restore, and until the restored ones are whole.
 * Nothing else is touched; packets with the mark pass, for what a restore has to inject.
 */
enum { NET_LOCK_MARK = 0xC114 };

/* --- dump: everything is stopped --- */
/* Finds the connections and locks them; the lock vanishes with the tool. */
int net_lock_dump(struct dump *d);
/* The tree goes on: so do its connections. */
void net_lock_lift(struct dump *d);
/* The descriptor that the lock lives by; -1: none. */
int net_lock_socket(const struct dump *d);
/* Before the tree is killed: from here on the lock outlives the tool. */
int net_lock_keep(struct dump *d);
/* The tree is gone: its connections end without a packet. */
void net_lock_silence(struct dump *d);
/* Whether it covers this connection, for which a task must have a descriptor. */
bool net_lock_covers(const struct dump *d, const struct nft_pair *p);
/* Whether the tree holds both ends; known before the freeze as well. */
bool net_lock_inside(struct dump *d, const struct nft_pair *p);

/*
 * Before the freeze, of a connection that is not inside: whether several looks at the whole tree,
 * which goes on making processes and connections meanwhile, find one end of it only.
 */
bool net_lock_outside(struct dump *d, const struct nft_pair *p);

/*
 * Whether the other end waits to be accepted from a listener of the tree, and how many bytes it has
 * received. These connections are not locked: the restore makes them anew. Known before the freeze
 * as well.
 */
bool net_lock_waits(struct dump *d, const struct nft_pair *p, uint32_t *ret_bytes);
/* How many such connections lead to this port (network byte order). */
uint32_t net_lock_waiting(const struct dump *d, uint16_t port);

/* --- restore --- */
/* In plan(): the packets of this connection are to be held back. */
void net_lock_want(struct restore *r, const struct nft_pair *p);
/* Before the first socket: the lock of the dump, or another. */
int net_lock_restore(struct restore *r);
/* All sockets are whole. */
int net_lock_end(struct restore *r);

/*
 * Removes the lock that a checkpoint in this directory left; it is given up. Yields how many (0 or
 * 1) or -errno, reported.
 */
int net_lock_abandon(struct arena *a, int images_fd);
