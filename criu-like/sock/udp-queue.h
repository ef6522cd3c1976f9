#pragma once
#include "core/file/file.h"
#include "udp.pb-c.h"

/* Datagrams that wait in the receive queue of a UDP socket. */
int udp_queue_dump(struct dump *d, struct fd_probe *p, Udp *m);
/* Hostile values; drops what could not be delivered to this socket alone. */
int udp_queue_plan(const struct fd_obj *o, const Udp *m);
/* Into the bound socket, before it is connected. What does not arrive is lost, with a warning. */
int udp_queue_fill(int fd, const Udp *m);
