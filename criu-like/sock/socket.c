/*
 * Sockets of all families that no other kind knows: refused by the name of the family. vsock is the
 * exception: its address tells whether anything was done with a socket, and one that is neither
 * bound nor connected is made again.
 */
#include "socket.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"
#include "sock/socket-options.h"

static const char *const family_name[] = {
	[AF_AX25] = "AX.25",
	[AF_IPX] = "IPX",
	[AF_APPLETALK] = "AppleTalk",
	[AF_NETROM] = "NET/ROM",
	[AF_ATMPVC] = "ATM",
	[AF_X25] = "X.25",
	[AF_ROSE] = "ROSE",
	[AF_KEY] = "AF_KEY",
	[AF_ATMSVC] = "ATM",
	[AF_RDS] = "RDS",
	[AF_PPPOX] = "PPPoX",
	[AF_LLC] = "LLC",
	[AF_CAN] = "CAN",
	[AF_TIPC] = "TIPC",
	[AF_BLUETOOTH] = "Bluetooth",
	[AF_IUCV] = "IUCV",
	[AF_RXRPC] = "RxRPC",
	[AF_ISDN] = "ISDN",
	[AF_PHONET] = "Phonet",
	[AF_IEEE802154] = "IEEE 802.15.4",
	[AF_CAIF] = "CAIF",
	[AF_ALG] = "AF_ALG (kernel crypto)",
	[AF_NFC] = "NFC",
	[AF_VSOCK] = "vsock",
	[AF_KCM] = "KCM",
	[AF_QIPCRTR] = "QRTR",
	[AF_SMC] = "SMC",
	[AF_XDP] = "XDP",
	[45] = "MCTP",
};

static const char *name_of(struct dump *d, const struct socket_type *t)
{
	bool inet = t->domain == AF_INET || t->domain == AF_INET6;

	if (inet && t->protocol == IPPROTO_SCTP)
		return "SCTP";
	if (inet && t->protocol == 115)
		return "L2TP";
	if (inet && t->protocol == 33)
		return "DCCP";
	if ((size_t)t->domain < array_size(family_name) && family_name[t->domain])
		return family_name[t->domain];
	return arena_printf(&d->arena, "family %d, protocol %d", t->domain, t->protocol);
}

static bool match(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;
	bool inet, tcp;

	(void)d;
	if (!socket_type_of(p, &t))
		return false;
	inet = t.domain == AF_INET || t.domain == AF_INET6;
	tcp = t.type == SOCK_STREAM &&
	      (t.protocol == IPPROTO_TCP || t.protocol == IPPROTO_MPTCP);
	return t.domain != AF_UNIX && !(inet && tcp);
}

static bool is_fresh_vsock(const struct fd_probe *p)
{
	struct sockaddr_vm a = { 0 };
	uint32_t len = sizeof(a);

	return !sys(SYS_getsockname, p->fd, &a, &len) && a.svm_port == VMADDR_PORT_ANY &&
	       a.svm_cid == VMADDR_CID_ANY;
}

static int look(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;

	if (!socket_type_of(p, &t) || (t.domain == AF_VSOCK && is_fresh_vsock(p)))
		return 0;
	return fd_refuse(d, p,
			 arena_printf(&d->arena, "sockets of %s cannot be saved", name_of(d, &t)),
			 "close it before the dump");
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct socket_type t;
	Socket *m = msg;
	int r = look(d, p);

	if (r || !socket_type_of(p, &t))
		return r ? r : -EBADF;
	m->family = (uint32_t)t.domain;
	m->type = (uint32_t)t.type;
	m->protocol = (uint32_t)t.protocol;
	m->uid = p->st.st_uid;
	m->gid = p->st.st_gid;
	p->key = arena_printf(&d->arena, "socket:[%" PRIu64 "]", (uint64_t)p->st.st_ino);
	return socket_options_dump(d, p, &m->n_option, &m->option);
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Socket *m = o->msg;

	if (m->family != AF_VSOCK || m->type & (SOCK_NONBLOCK | SOCK_CLOEXEC) || m->protocol > 255)
		return fail(-EPROTO,
			    "image 'socket': description %" PRIu32 " is of no known family", o->id);
	return socket_options_plan(r, o, m->n_option, m->option);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Socket *m = obj->msg;
	long type = m->type | SOCK_CLOEXEC | (obj->ofd->flags & O_NONBLOCK);
	_close_ int fd = (int)sys(SYS_socket, m->family, type, m->protocol);
	int r = fd < 0 ? fd : (int)sys(SYS_fchown, fd, m->uid, m->gid);

	(void)o;
	if (r)
		return fail(r, "make a socket of family %" PRIu32, m->family);
	r = socket_options_restore(fd, m->n_option, m->option);
	return r ? r : take_fd(&fd);
}

const struct fd_kind kind_socket = { .name = "socket",
				     .descriptor = &socket__descriptor,
				     .match = match,
				     .look = look,
				     .dump = dump,
				     .plan = plan,
				     .open = open_fd };
