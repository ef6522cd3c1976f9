/*
 * Where the kernel is in a ring of a packet socket. It keeps that to itself, but leaves traces.
 *
 * Receiving, versions 1 and 2: each frame has the time of its arrival. Behind the newest frame is
 * the oldest, or one that was never used: there it goes on. Times of neighbours may be turned round
 * by a little (two processors); a step of the clock while the ring was filled hides the place.
 * Where times are all the same, the frames that the program has not freed end at it.
 *
 * Version 3: blocks are numbered. It fills the one with the highest number, or, if that is with the
 * program already, it waits for the program to free the next.
 *
 * Transmitting: only frames that wait to be sent, or a first round in which some were never used,
 * show where it is.
 */
#include "sock/packet-head.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NS 1000000000ULL
/* Of two steps back in time the greater is the end of the ring if it is by far the greater. */
enum { BY_FAR = 4 };

static uint64_t time_of(const uint8_t *frame, int version)
{
	struct tpacket_hdr v1;
	struct tpacket2_hdr v2;

	if (version == TPACKET_V1) {
		memcpy(&v1, frame, sizeof(v1));
		return v1.tp_sec * NS + v1.tp_usec * 1000ULL;
	}
	memcpy(&v2, frame, sizeof(v2));
	return v2.tp_sec * NS + v2.tp_nsec;
}

static uint32_t status_of(const PacketRing *g, const uint8_t *ring, uint32_t i)
{
	uint32_t status;

	memcpy(&status, ring + packet_frame_offset(g, i), sizeof(status));
	return status;
}

/* The place behind the only run of frames with these bits; -ENOENT: there is not one such run. */
static int end_of_run(const PacketRing *g, const uint8_t *ring, uint32_t bits, uint32_t *ret_begin)
{
	uint32_t begins = 0, end = 0;

	for (uint32_t i = 0; i < g->frame_nr; i++) {
		bool here = status_of(g, ring, i) & bits;
		bool next = status_of(g, ring, (i + 1) % g->frame_nr) & bits;

		if (!here && next) {
			begins++;
			*ret_begin = (i + 1) % g->frame_nr;
		}
		if (here && !next)
			end = (i + 1) % g->frame_nr;
	}
	return begins == 1 ? (int)end : -ENOENT;
}

int packet_head_rx(PacketRing *g, int version, const uint8_t *ring)
{
	uint64_t most = 0, second = 0;
	uint32_t begin, at = 0;
	int end;

	for (uint32_t i = 0; i < g->frame_nr; i++) {
		uint64_t a = time_of(ring + packet_frame_offset(g, i), version);
		uint64_t b = time_of(ring + packet_frame_offset(g, (i + 1) % g->frame_nr), version);
		uint64_t back = a > b ? a - b : 0;

		if (back > most) {
			second = most;
			most = back;
			at = (i + 1) % g->frame_nr;
		} else if (back > second) {
			second = back;
		}
	}
	if (!most && !time_of(ring, version)) {
		g->head = 0; /* never used */
		return 0;
	}
	if (most && second * BY_FAR < most) {
		g->head = at;
		return 0;
	}
	end = end_of_run(g, ring, TP_STATUS_USER, &begin);
	if (end < 0)
		return g->frame_nr == 1 ? 0 : end;
	g->head = (uint32_t)end;
	return 0;
}

/* As the kernel's timer does it. */
static void hand_over(struct tpacket_block_desc *b, uint32_t block_size)
{
	struct tpacket_hdr_v1 *h = &b->hdr.bh1;
	uint32_t at = h->offset_to_first_pkt;
	struct tpacket3_hdr *last = NULL;

	for (uint32_t n = 0; n < h->num_pkts && at + sizeof(*last) <= block_size; n++) {
		last = (struct tpacket3_hdr *)(void *)((uint8_t *)b + at);
		at += last->tp_next_offset;
	}
	if (last) {
		last->tp_next_offset = 0;
		h->ts_last_pkt.ts_sec = last->tp_sec;
		h->ts_last_pkt.ts_nsec = last->tp_nsec;
	}
	h->block_status = TP_STATUS_USER | TP_STATUS_BLK_TMO;
}

void packet_head_v3(PacketRing *g, uint8_t *ring)
{
	uint32_t newest = 0;
	struct tpacket_block_desc *b, *next;

	for (uint32_t i = 1; i < g->block_nr; i++)
		if (packet_block(g, ring, i)->hdr.bh1.seq_num >
		    packet_block(g, ring, newest)->hdr.bh1.seq_num)
			newest = i;
	b = packet_block(g, ring, newest);
	g->head = newest;
	g->frozen = false;
	if (!(b->hdr.bh1.block_status & TP_STATUS_USER)) {
		if (!b->hdr.bh1.num_pkts)
			return;
		hand_over(b, g->block_size);
		next = packet_block(g, ring, (newest + 1) % g->block_nr);
		g->head = (newest + 1) % g->block_nr;
		g->frozen = next->hdr.bh1.block_status & TP_STATUS_USER;
		return;
	}
	g->head = (newest + 1) % g->block_nr;
	g->frozen = true;
}

static uint32_t sent_len(const uint8_t *frame, int version)
{
	struct tpacket_hdr v1;
	struct tpacket2_hdr v2;
	struct tpacket3_hdr v3;

	memcpy(&v1, frame, sizeof(v1));
	memcpy(&v2, frame, sizeof(v2));
	memcpy(&v3, frame, sizeof(v3));
	return version == TPACKET_V1 ? v1.tp_len : version == TPACKET_V2 ? v2.tp_len : v3.tp_len;
}

/* The half that matters of version 1 (little endian); in version 3 it is behind other words. */
static size_t status_offset(int version)
{
	return version == TPACKET_V3 ? offsetof(struct tpacket3_hdr, tp_status) : 0;
}

static bool waits_to_be_sent(const PacketRing *g, const uint8_t *ring, uint32_t i, int version)
{
	uint32_t status;

	memcpy(&status, ring + packet_frame_offset(g, i) + status_offset(version), sizeof(status));
	return status & TP_STATUS_SEND_REQUEST;
}

int packet_head_tx(PacketRing *g, int version, const uint8_t *ring)
{
	uint32_t used = 0, begin = 0, requests = 0;

	for (uint32_t i = 0; i < g->frame_nr; i++) {
		uint32_t before = (i + g->frame_nr - 1) % g->frame_nr;

		if (waits_to_be_sent(g, ring, i, version) &&
		    !waits_to_be_sent(g, ring, before, version)) {
			begin = i;
			requests++;
		}
		if (sent_len(ring + packet_frame_offset(g, i), version))
			used = i + 1;
	}
	if (requests == 1)
		g->head = begin;
	else if (!requests && used < g->frame_nr)
		g->head = used;
	else
		return -ENOENT;
	return 0;
}

volatile uint32_t *packet_frame_status(uint8_t *frame, int version)
{
	return (volatile uint32_t *)(void *)(frame + status_offset(version));
}

void packet_frame_send(uint8_t *frame, int version, uint32_t len)
{
	if (version == TPACKET_V1)
		((struct tpacket_hdr *)(void *)frame)->tp_len = len;
	else if (version == TPACKET_V2)
		((struct tpacket2_hdr *)(void *)frame)->tp_len = len;
	else
		((struct tpacket3_hdr *)(void *)frame)->tp_len = len;
	*packet_frame_status(frame, version) = TP_STATUS_SEND_REQUEST;
}
