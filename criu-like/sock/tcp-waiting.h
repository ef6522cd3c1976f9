#pragma once
#include "core/file/file.h"
#include "kernel/nftables.h"
#include "tcp.pb-c.h"

/*
 * Connections whose one end is in the tree while the other waits to be accepted from a listener of
 * the tree.
 */
/* 1: it is one, and the record says so; 0: it is none; refuses. */
int tcp_waiting_dump(struct dump *d, struct fd_probe *p, const struct nft_pair *pair, Tcp *m);
/* The tree is dead: reads what the others have received, through the listeners. */
int tcp_waiting_after(struct dump *d, const struct fd_kept *kept, size_t n);
/* States that the end of the tree may have. */
bool tcp_waiting_state(uint32_t state);
int tcp_waiting_plan(struct restore *r, struct fd_obj *o);
/* Of the sockets that have to do with one port: who connects when. */
int tcp_waiting_order(struct restore *r, struct fd_obj **member, size_t n);
/* A bound socket in repair mode; its listener listens. */
int tcp_waiting_connect(int fd, const struct fd_obj *o);
