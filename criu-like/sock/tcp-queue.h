#pragma once
#include "core/dump.h"
#include "core/restore.h"
#include "tcp.pb-c.h"

/* Where the bytes of the queues of a connection go, each with room for one more. */
struct tcp_queue {
	uint8_t *send, *receive;
	size_t send_len, receive_len;
	void *map; /* NULL: in the arena */
	size_t map_len;
};
/* Dump: room for them, mentioned in the record. Restore: the bytes. 0 or -errno, reported. */
int tcp_queue_make(struct dump *d, size_t send, size_t receive, TcpConnection *c,
		   struct tcp_queue *ret);
int tcp_queue_load(struct restore *r, const TcpConnection *c, struct tcp_queue *ret);
void tcp_queue_done(struct tcp_queue *q);
/* Plan. */
int tcp_queue_check(struct restore *r, const TcpConnection *c);
size_t tcp_queue_send_len(const TcpConnection *c);
