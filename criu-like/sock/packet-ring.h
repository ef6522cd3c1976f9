#pragma once
#include "core/file/file.h"
#include "kernel/packet-diag.h"
#include "packet.pb-c.h"

/* The rings of a packet socket (PACKET_RX_RING, PACKET_TX_RING) and the memory of both. */
int packet_rings_dump(struct dump *d, struct fd_probe *p, const struct packet_diag *q, Packet *m);
int packet_rings_plan(struct restore *r, struct fd_obj *o, const Packet *m);
/*
 * Makes them in a socket that receives nothing yet and has its version; leaves it bound to a
 * protocol that nobody uses.
 */
int packet_rings_make(struct restore *r, int fd, const Packet *m);
