#pragma once
#include <stdbool.h>
#include <sys/socket.h>

#include "core/file/file.h"
#include "inet.pb-c.h"

/*
 * What IPv4 and IPv6 sockets of every type have in common: names, owner, options (with
 * sock/socket-options.h), multicast memberships, and binding several sockets to one port. A kind
 * has an `Inet` in its message and calls, in this order:
 *
 *	dump		inet_dump()
 *	plan		inet_plan(), which changes nothing but in the plan's own message
 *	group		inet_port_key(), if sockets of the kind may share a port
 *	plan_group	inet_plan_port() for the Inet of every member
 *	open		inet_make(): the socket, its owner, the options of SOCKET_FRESH
 *			inet_bind(): to m->local, with SO_REUSEADDR on until inet_stage(), so that
 *			sockets of one port can be bound in any order
 *			listen, inet_connect(), queues...
 *			inet_complete(): memberships, the other options, O_NONBLOCK
 *	stage		inet_stage(): SO_REUSEADDR and SO_REUSEPORT get their values in the blob,
 *			when all tasks have bound theirs
 *
 * Names change (to other addresses of this host) in one place: inet_plan(), before it checks them.
 */
union inet_address {
	struct sockaddr any;
	struct sockaddr_storage room;
};

/* Fills m from the copy of the descriptor, and refuses what cannot be told. Sets p->key. */
int inet_dump(struct dump *d, struct fd_probe *p, Inet *m);
/*
 * Hostile values; whether the address, the device and the port are there (refuses). The kind checks
 * type and protocol itself.
 */
int inet_plan(struct restore *r, const struct fd_obj *o, Inet *m);
uint64_t inet_port_key(const Inet *m);
/* Sockets of one protocol and port: who has to be bound with SO_REUSEPORT. */
void inet_plan_port(Inet *const *member, size_t n);

int inet_make(const Inet *m);
int inet_bind(int fd, const Inet *m);
int inet_connect(int fd, const Inet *m);
int inet_complete(int fd, const Inet *m, const Ofd *ofd);
/* Call it for every stage; it acts in STAGE_SIGNALS. */
void inet_stage(struct prog *p, const struct stage_at *at, const Inet *m, int number);

/* The name as the kernel takes it; yields its length. */
uint32_t inet_address(const InetName *n, union inet_address *ret);
/* From the kernel's; NULL: neither IPv4 nor IPv6. */
InetName *inet_name(struct arena *a, const union inet_address *from);
/* "10.0.0.1:53", "[fe80::1]:53", for messages. */
const char *inet_text(struct arena *a, const InetName *n);
/* Whether the name is well-formed. */
bool inet_name_ok(const InetName *n);
/* Neither any address nor a port. */
bool inet_name_empty(const InetName *n);
