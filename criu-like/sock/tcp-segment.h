#pragma once
#include <stdint.h>
#include <sys/socket.h>

/* A segment without data, from a peer to a socket of this host. */
struct tcp_segment {
	const struct sockaddr *from, *to; /* the same family, IPv4 or IPv6 */
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags; /* TCP_FLAG_x of tcp-segment.h */
};
enum { SEGMENT_FIN = 1, SEGMENT_RST = 4, SEGMENT_ACK = 16 };

/* Delivers it here, past the network lock. 0 or -errno, reported. */
int tcp_segment_inject(const struct tcp_segment *s);
