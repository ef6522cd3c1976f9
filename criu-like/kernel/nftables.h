#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* The two names of a TCP connection, in network order; IPv4 in the first four bytes. */
struct nft_pair {
	bool v6;
	uint16_t local_port, remote_port;
	uint8_t local[16], remote[16];
};

/*
 * A table of nf_tables that drops every packet of some TCP connections, in both directions, and
 * touches no other; packets with the mark pass.
 */
struct nft_block {
	const char *name;
	uint32_t mark;
	bool owned;   /* it vanishes with the socket, and nobody else can remove it (5.12+) */
	bool replace; /* a table of this name exists and goes in the same moment */
	const struct nft_pair *pair;
	size_t n;
};

/* A socket to talk to nf_tables of the caller's network namespace, or -errno. */
int nft_socket(void);
/* One transaction: all of it or nothing. 0 or -errno, nothing is logged. */
int nft_block(int socket, struct arena *a, const struct nft_block *b);
/* -ENOENT: there is no such table. */
int nft_unblock(int socket, struct arena *a, const char *name);
int nft_exists(int socket, struct arena *a, const char *name);
