#pragma once
#include "core/dump.h"

/* Netlink sockets in which messages wait at this moment; more of them are not told. */
struct netlink_waiting {
	uint64_t inode[64];
	size_t n;
};
void netlink_waiting(struct dump *d, struct netlink_waiting *ret);
/* Whether the task has a descriptor of one of them. */
bool netlink_waits_for(struct dump *d, const struct task *t, const struct netlink_waiting *w);
