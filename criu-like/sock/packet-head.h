#pragma once
#include <linux/if_packet.h>
#include <stdint.h>

#include "packet.pb-c.h"

enum { PACKET_BLOCK_HEADER = 48 }; /* before the program's part of a block */

static inline uint64_t packet_frame_offset(const PacketRing *g, uint32_t i)
{
	uint32_t per_block = g->block_size / g->frame_size;

	return (uint64_t)(i / per_block) * g->block_size +
	       (uint64_t)(i % per_block) * g->frame_size;
}

static inline struct tpacket_block_desc *packet_block(const PacketRing *g, uint8_t *ring,
						      uint32_t i)
{
	return (struct tpacket_block_desc *)(void *)(ring + (uint64_t)i * g->block_size);
}

/*
 * Where the kernel is in a ring, read off a copy of its memory: into g->head. -ENOENT: it cannot be
 * told. Version 3 hands the block over that the kernel is filling, in the copy.
 */
int packet_head_rx(PacketRing *g, int version, const uint8_t *ring);
void packet_head_v3(PacketRing *g, uint8_t *ring);
int packet_head_tx(PacketRing *g, int version, const uint8_t *ring);
volatile uint32_t *packet_frame_status(uint8_t *frame, int version);
/* Asks the kernel to send this frame of a transmit ring. */
void packet_frame_send(uint8_t *frame, int version, uint32_t len);
