#pragma once
#include <sys/socket.h>

#include "core/file/file.h"
#include "tcp.pb-c.h"

/*
 * The state of a TCP connection, by TCP_REPAIR. On dump the socket is in repair mode while it is
 * read, and is as before afterwards; no packet may reach it meanwhile (core/net-lock.h).
 */
int tcp_repair_dump(struct dump *d, struct fd_probe *p, Tcp *m);
/* Whether numbers of an image are possible; reported. */
int tcp_repair_check(const struct fd_obj *o, const Tcp *m);

/* A socket of its own that is in repair mode and bound: connects it, fills it, brings it into its
 * state. It stays in repair mode, silent. */
int tcp_repair_restore(int fd, const Tcp *m, const struct sockaddr *local,
		       const struct sockaddr *peer);
/* Repair mode on and off; 0 or -errno, nothing is logged. */
int tcp_repair_begin(int fd);
int tcp_repair_end(int fd, bool probe);
