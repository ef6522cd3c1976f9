#pragma once
#include <stdint.h>

#include "kernel/nftables.h"

/* What sock_diag tells about one socket of the caller's network namespace. */
struct inet_diag_question {
	uint8_t family, protocol;
	uint16_t port; /* local, host byte order; not 0 */
	uint32_t inode;
};
/* 1: receiving, 2: sending is shut down. -ENOENT: no such socket, or no module that tells. */
int inet_diag_shutdown(const struct inet_diag_question *q, uint32_t *ret);
/*
 * The other end of this TCP connection, if it is here, complete, and no process has accepted it
 * yet: 0 and the bytes that it has received. -ENOENT: it is not.
 */
int inet_diag_unaccepted(const struct nft_pair *p, uint32_t *ret_bytes);
/*
 * Ends what is left of a TCP connection between these addresses when nobody has a descriptor of it:
 * it waits for its last packets, or for time to pass. 0; -ENOENT: there is none; or -errno.
 */
struct sockaddr;
int inet_diag_end_orphan(const struct sockaddr *local, const struct sockaddr *peer);
