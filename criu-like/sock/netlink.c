/*
 * Netlink sockets. getsockname(2) tells the port and getpeername(2) the default destination; the
 * groups, any number of them, come from NETLINK_LIST_MEMBERSHIPS. What waits in the queue came from
 * the kernel, and nobody else can send in its name: the stop is put off until the program has read
 * it (core/netlink-wait.c), and a socket whose program does not read is refused (that covers lists
 * that are only partly read, whose next part is always in the queue). So is what the kernel
 * ties to the port and forgets when it closes: packet queues and logs of netfilter, the audit
 * daemon, process events. (An audit socket gets its port with the first message: without one it has
 * told the kernel nothing. Message buses keep such a socket.) The port is bound again; the checks
 * of permission that use the maker's credentials see those of the tool and, as ever, also the
 * sender's.
 */
#include "netlink.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "sock/socket-options.h"

enum { LEVEL = 270, GROUPS_MAX = 4096, WORD_BITS = 32 };

static bool match(struct dump *d, struct fd_probe *p)
{
	struct socket_type t;

	(void)d;
	return socket_type_of(p, &t) && t.domain == AF_NETLINK;
}

/* --- what is refused -----------------------------------------------------------------------------
 */

/* Whether a table of /proc/net/netfilter has the port in its second column. */
static int in_table(struct dump *d, const char *path, uint32_t port)
{
	struct span text, line, word;
	uint64_t value;
	int r = io_slurp_at(&d->arena, AT_FDCWD, path, &text);

	if (r)
		return r == -ENOENT ? 0 : fail(r, "read '%s'", path);
	while (span_line(&text, &line))
		if (span_word(&line, &word) && span_word(&line, &word) &&
		    !span_u64(word, 10, &value) && value == port)
			return 1;
	return 0;
}

/* 1: yes, 0: no, -errno. */
static int has_queue_or_log(struct dump *d, uint32_t port)
{
	int r = port ? in_table(d, "/proc/net/netfilter/nfnetlink_queue", port) : 0;

	return r || !port ? r : in_table(d, "/proc/net/netfilter/nfnetlink_log", port);
}

/* The same before the freeze and after it. */
static int look_at_protocol(struct dump *d, struct fd_probe *p)
{
	int protocol = (int)socket_int(p->fd, SOL_SOCKET, SO_PROTOCOL);
	struct sockaddr_nl a = { 0 };
	uint32_t len = sizeof(a);
	int r = (int)sys(SYS_getsockname, p->fd, &a, &len);

	if (r)
		return fail(r, "descriptor %d: ask for the name of its socket", p->number);
	if (protocol == NETLINK_AUDIT && a.nl_pid)
		return fd_refuse(d, p, "it is a netlink socket that has spoken to the audit system",
				 "stop the audit client before the dump");
	if (protocol == NETLINK_CONNECTOR)
		return fd_refuse(d, p, "it is a netlink socket of the connector (process events)",
				 "close it before the dump");
	r = protocol == NETLINK_NETFILTER ? has_queue_or_log(d, a.nl_pid) : 0;
	if (r > 0)
		return fd_refuse(d, p, "packets of netfilter are queued or logged to it",
				 "close it before the dump");
	return r;
}

static int look_at_queue(struct dump *d, struct fd_probe *p)
{
	int events = socket_events(p, POLLIN | POLLERR);

	if (events < 0)
		return events;
	if (events & POLLIN)
		return fd_refuse(d, p, "messages of the kernel wait in its netlink queue",
				 "have the program read them, or try again");
	if (events & POLLERR)
		log_warn("descriptor %d: an error that waits on its netlink socket is lost",
			 p->number);
	return 0;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int dump_names(struct fd_probe *p, Netlink *m)
{
	struct sockaddr_nl a = { 0 };
	uint32_t len = sizeof(a);
	long r = sys(SYS_getsockname, p->fd, &a, &len);

	m->has_port = a.nl_pid != 0;
	m->port = a.nl_pid;
	len = sizeof(a);
	if (!r)
		r = sys(SYS_getpeername, p->fd, &a, &len);
	if (r)
		return fail(r, "descriptor %d: ask for the name of its socket", p->number);
	m->has_peer_port = m->has_peer_groups = a.nl_pid || a.nl_groups;
	m->peer_port = a.nl_pid;
	m->peer_groups = a.nl_groups;
	return 0;
}

static int dump_groups(struct dump *d, struct fd_probe *p, Netlink *m)
{
	uint32_t word[GROUPS_MAX / WORD_BITS] = { 0 }, len = sizeof(word);
	long r = sys(SYS_getsockopt, p->fd, LEVEL, NETLINK_LIST_MEMBERSHIPS, word, &len);

	if (r || len > sizeof(word))
		return fail(r ? r : -EPROTO, "descriptor %d: ask for its groups", p->number);
	for (uint32_t i = 0; i < len * 8; i++) {
		if (!(word[i / WORD_BITS] >> i % WORD_BITS & 1))
			continue;
		m->group = arena_grow(&d->arena, m->group, m->n_group * sizeof(*m->group),
				      (m->n_group + 1) * sizeof(*m->group));
		m->group[m->n_group++] = i + 1;
	}
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct socket_type type = { 0 };
	Netlink *m = msg;
	int r = look_at_protocol(d, p);

	if (!r)
		r = look_at_queue(d, p);
	if (!r && !socket_type_of(p, &type))
		return fail(-EPROTO, "descriptor %d: the kernel does not tell its socket's type",
			    p->number);
	m->inode = p->st.st_ino;
	m->type = (uint32_t)type.type;
	m->protocol = (uint32_t)type.protocol;
	m->uid = p->st.st_uid;
	m->gid = p->st.st_gid;
	p->key = arena_printf(&d->arena, "socket:[%" PRIu64 "]", m->inode);
	if (!r)
		r = dump_names(p, m);
	if (!r)
		r = dump_groups(d, p, m);
	return r ? r : socket_options_dump(d, p, &m->n_option, &m->option);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

/* In use by somebody else, as far as can be told. */
static bool is_taken(const Netlink *m)
{
	_close_ int fd = (int)sys(SYS_socket, AF_NETLINK, m->type | SOCK_CLOEXEC, m->protocol);
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = m->port };

	return fd >= 0 && sys(SYS_bind, fd, &a, sizeof(a)) == -EADDRINUSE;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Netlink *m = o->msg;
	bool ok = m->protocol < MAX_LINKS && (m->type == SOCK_RAW || m->type == SOCK_DGRAM);
	int e;

	for (size_t i = 0; i < m->n_group; i++)
		ok = ok && m->group[i] && m->group[i] <= GROUPS_MAX;
	if (!ok)
		return fail(-EPROTO,
			    "image 'netlink': description %" PRIu32 " is no netlink socket", o->id);
	e = socket_options_plan(r, o, m->n_option, m->option);
	if (e || !m->has_port || !is_taken(m))
		return e;
	return refuse(&r->blockers, 0,
		      arena_printf(&r->arena, "netlink socket (protocol %" PRIu32 ")", m->protocol),
		      arena_printf(&r->arena, "its port %" PRIu32 " is in use", m->port),
		      "end the process that uses it (ss -f netlink)");
}

/* --- open ----------------------------------------------------------------------------------------
 */

static int join_groups(int fd, const Netlink *m)
{
	for (size_t i = 0; i < m->n_group; i++) {
		int r = socket_set_int(fd, LEVEL, NETLINK_ADD_MEMBERSHIP, (int)m->group[i]);

		if (r)
			return fail(r, "join the netlink group %" PRIu32, m->group[i]);
	}
	return 0;
}

static int name_it(int fd, const Netlink *m)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = m->port };
	long r = m->has_port ? sys(SYS_bind, fd, &a, sizeof(a)) : 0;

	if (r)
		return fail(r, "bind a netlink socket to port %" PRIu32, m->port);
	if (!m->has_peer_port)
		return 0;
	a.nl_pid = m->peer_port;
	a.nl_groups = m->peer_groups;
	r = sys(SYS_connect, fd, &a, sizeof(a));
	return r ? fail(r, "connect a netlink socket") : 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Netlink *m = obj->msg;
	long type = m->type | SOCK_CLOEXEC | (obj->ofd->flags & O_NONBLOCK);
	_close_ int fd = (int)sys(SYS_socket, AF_NETLINK, type, m->protocol);
	int r;

	(void)o;
	if (fd < 0)
		return fail(fd, "make a netlink socket of protocol %" PRIu32, m->protocol);
	r = (int)sys(SYS_fchown, fd, m->uid, m->gid);
	if (r)
		return fail(r, "give a socket to user %" PRIu32, m->uid);
	r = socket_options_restore(fd, m->n_option, m->option); /* filter: before anything comes */
	if (!r)
		r = name_it(fd, m);
	if (!r)
		r = join_groups(fd, m);
	return r ? r : take_fd(&fd);
}

const struct fd_kind kind_netlink = { .name = "netlink",
				      .descriptor = &netlink__descriptor,
				      .match = match,
				      .look = look_at_protocol,
				      .dump = dump,
				      .plan = plan,
				      .open = open_fd };
