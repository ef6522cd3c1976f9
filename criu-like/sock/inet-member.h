#pragma once
#include "core/file/file.h"
#include "inet.pb-c.h"

/* Memberships of multicast groups of IPv4 and IPv6 sockets; inet.c calls these. */
int inet_members_dump(struct dump *d, struct fd_probe *p, Inet *m);
/* Hostile values; refuses if an interface is not there. */
int inet_members_plan(struct restore *r, const struct fd_obj *o, const Inet *m);
int inet_members_join(int fd, const Inet *m);
