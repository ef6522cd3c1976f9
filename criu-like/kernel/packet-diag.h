#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/vec.h"

/* What sock_diag tells about a packet socket of the caller's network namespace. */
struct packet_diag_member {
	uint32_t index, count; /* interface; how often it was joined */
	uint16_t type, len;    /* PACKET_MR_x; bytes of the address */
	uint8_t address[32];
};
struct packet_diag {
	uint16_t protocol; /* ethertype, host byte order; 0: receives nothing */
	uint32_t index;	   /* interface, 0: all, ~0: it is gone */
	uint32_t copy_thresh;
	struct packet_diag_geometry { /* block_nr 0: none */
		uint32_t block_size, block_nr, frame_size, frame_nr;
		uint32_t retire_ms, private_bytes, features; /* version 3 */
	} rx, tx;
	uint32_t fanout; /* as PACKET_FANOUT gives it, 0: none */
	VEC(struct packet_diag_member) member;
};
/* Of both rings, as they are mapped. */
static inline uint64_t packet_diag_bytes(const struct packet_diag *q)
{
	return (uint64_t)q->rx.block_size * q->rx.block_nr +
	       (uint64_t)q->tx.block_size * q->tx.block_nr;
}
/* 0, -ENOENT: no such socket here, or another -errno. */
int packet_diag_get(struct arena *a, uint32_t inode, struct packet_diag *ret);
