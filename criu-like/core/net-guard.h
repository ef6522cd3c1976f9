#pragma once
#include "core/dump.h"

/*
 * A process that puts a socket of the target back in order should the tool die while it is in
 * repair mode, or its offset of looking (SO_PEEK_OFF) is ours. Of the tool's descriptors it keeps
 * the one of the network lock.
 */
struct net_guarded {
	pid_t pid;   /* who has it ... */
	int number;  /* ... under this number */
	bool repair; /* a connection: repair mode, and what that changes */
	int reuse; /* SO_REUSEADDR as it was */
	int peek;  /* SO_PEEK_OFF as it was */
};
/* From now on this socket is guarded; the first call starts the process. 0 or -errno, reported. */
int net_guard_set(struct dump *d, const struct net_guarded *g);
/* It is in order again. */
void net_guard_clear(struct dump *d);
/* Puts it in order: out of repair mode without a packet, options as they were. 0 or -errno. */
int net_guard_mend(int fd, const struct net_guarded *g);
/* The process ends. */
void net_guard_end(struct dump *d);
