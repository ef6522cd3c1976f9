/*
 * What stands beside a descriptor in the tree view: addresses and states of sockets, watches,
 * counters, what nobody has read yet. Each kind's own image has it under the number of the
 * description; a kind without an entry here shows the kernel's name for it. Everything that comes
 * from the images may be anything: counts are printed, never used.
 */
#include <inttypes.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "bpf_map.pb-c.h"
#include "epoll.pb-c.h"
#include "eventfd.pb-c.h"
#include "fanotify.pb-c.h"
#include "fifo.pb-c.h"
#include "inotify.pb-c.h"
#include "io_uring.pb-c.h"
#include "mqueue.pb-c.h"
#include "netlink.pb-c.h"
#include "packet.pb-c.h"
#include "pidfd.pb-c.h"
#include "pipe.pb-c.h"
#include "raw.pb-c.h"
#include "show.h"
#include "signalfd.pb-c.h"
#include "sock/inet.h"
#include "socket.pb-c.h"
#include "stub.pb-c.h"
#include "tcp.pb-c.h"
#include "timerfd.pb-c.h"
#include "tty.pb-c.h"
#include "udp.pb-c.h"
#include "unix.pb-c.h"

enum { PATHS_SHOWN = 3 };

static const char *count(struct arena *a, size_t n, const char *one, const char *many)
{
	return arena_printf(a, "%zu %s", n, n == 1 ? one : many);
}

/* Appends ", 12 bytes unread" where there is something. */
static const char *more(struct arena *a, const char *text, uint64_t n, const char *one,
			const char *rest)
{
	return n ? arena_printf(a, "%s, %" PRIu64 " %s%s%s", text, n, one, n == 1 ? "" : "s", rest)
		 : text;
}

static const char *packets(struct arena *a, const char *text, size_t n,
			   const ProtobufCBinaryData *v)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += v[i].len;
	return more(a, text, bytes, "byte", " unread");
}

static const char *name_or_any(struct arena *a, const InetName *n)
{
	return n && inet_name_ok(n) ? inet_text(a, n) : "not bound";
}

static const char *addresses(struct arena *a, const Inet *m)
{
	const char *local = name_or_any(a, m->local);

	return m->peer ? arena_printf(a, "%s - %s", local, name_or_any(a, m->peer)) : local;
}

static const char *tcp(const struct show *s, const Ofd *o, const void *msg)
{
	static const char *const state[] = { [0] = "?",
					     "established",
					     "sent SYN",
					     "received SYN",
					     "shut down, not acknowledged",
					     "shut down",
					     "time wait",
					     "closed",
					     "shut down by the other end",
					     "shut down, last acknowledgement",
					     "listens",
					     "shut down by both ends" };
	const Tcp *m = msg;
	const TcpConnection *c = m->connection;
	const char *text = arena_printf(s->arena, "%s %s", addresses(s->arena, m->inet),
					state[m->state < array_size(state) ? m->state : 0]);

	(void)o;
	text = more(s->arena, text, c ? c->receive.len : 0, "byte", " unread");
	return more(s->arena, text, c ? c->send.len : 0, "byte", " not acknowledged");
}

static const char *udp(const struct show *s, const Ofd *o, const void *msg)
{
	const Udp *m = msg;

	(void)o;
	return more(s->arena, addresses(s->arena, m->inet), m->n_queue, "datagram", " unread");
}

static const char *raw(const struct show *s, const Ofd *o, const void *msg)
{
	const Raw *m = msg;

	(void)o;
	return arena_printf(s->arena, "%s, protocol %u", addresses(s->arena, m->inet),
			    m->inet->protocol);
}

/* A name of the kernel's table begins with a NUL, which people write as @. */
static const char *unix_name(struct arena *a, const ProtobufCBinaryData *b)
{
	char *text = arena_strndup(a, (const char *)b->data, b->len);

	for (size_t i = 0; i < b->len; i++)
		text[i] = text[i] ? text[i] : i + 1 == b->len ? '\0' : '@';
	return text;
}

static const char *unix_peer(struct arena *a, const Unix *m)
{
	if (m->has_peer_name && m->peer_name.len)
		return arena_printf(a, "connected to %s%s", unix_name(a, &m->peer_name),
				    m->has_outside && m->outside ? " outside" : "");
	if (m->has_peer)
		return arena_printf(a, "connected to socket:[%" PRIu64 "]", m->peer);
	return "the other end is gone";
}

static const char *unix_socket(const struct show *s, const Ofd *o, const void *msg)
{
	struct arena *a = s->arena;
	const Unix *m = msg;
	const char *text = arena_printf(a, "socket:[%" PRIu64 "] %s", m->inode,
					m->type == SOCK_STREAM	? "stream"
					: m->type == SOCK_DGRAM ? "datagrams"
								: "packets");

	(void)o;
	if (m->has_name && m->name.len)
		text = arena_printf(a, "%s %s", text, unix_name(a, &m->name));
	if (m->has_listens && m->listens)
		text = arena_printf(a, "%s listens", text);
	if (m->has_connected && m->connected)
		text = arena_printf(a, "%s, %s", text, unix_peer(a, m));
	text = more(a, text, m->n_pending, "connection", " not accepted");
	return more(a, text, m->n_queue, "message", " unread");
}

static const char *netlink(const struct show *s, const Ofd *o, const void *msg)
{
	const Netlink *m = msg;
	const char *text = arena_printf(s->arena, "protocol %u", m->protocol);

	(void)o;
	text = m->has_port ? arena_printf(s->arena, "%s, port %u", text, m->port) : text;
	return more(s->arena, text, m->n_group, "group", "");
}

static const char *packet(const struct show *s, const Ofd *o, const void *msg)
{
	const Packet *m = msg;

	(void)o;
	return arena_printf(s->arena, "%s on %s",
			    m->protocol ? arena_printf(s->arena, "type %#x", m->protocol)
					: "receives nothing",
			    m->device ? m->device : "all interfaces");
}

static const char *other_socket(const struct show *s, const Ofd *o, const void *msg)
{
	const Socket *m = msg;

	(void)o;
	return arena_printf(s->arena, "family %u, type %u, protocol %u, unused", m->family, m->type,
			    m->protocol);
}

static const char *tty(const struct show *s, const Ofd *o, const void *msg)
{
	static const char *const role[] = { "terminal of the caller",
					    "master",
					    "slave",
					    "controlling terminal",
					    "hung up",
					    "external",
					    "device" };
	const Tty *m = msg;
	const TtyPair *p = m->pair;
	unsigned int at = m->has_role ? (unsigned int)m->role : 0;
	const char *text = m->path ? m->path : o->name ? o->name : "terminal";
	uint64_t input = p ? p->input.len : 0;

	for (size_t i = 0; p && i < p->n_line; i++)
		input += p->line[i]->text.len;
	text = arena_printf(s->arena, "%s, %s", text, at < array_size(role) ? role[at] : "?");
	if (p)
		text = arena_printf(s->arena, "%s of /dev/pts/%u", text, p->index);
	text = more(s->arena, text, input, "byte", " of input unread");
	return more(s->arena, text, p ? p->output.len : 0, "byte", " of output unread");
}

static const char *inotify(const struct show *s, const Ofd *o, const void *msg)
{
	const Inotify *m = msg;
	const char *text = count(s->arena, m->n_watch, "watch", "watches");

	(void)o;
	for (size_t i = 0; i < m->n_watch && i < PATHS_SHOWN; i++)
		text = arena_printf(s->arena, "%s%s%s", text, i ? " " : ": ",
				    m->watch[i]->file->path);
	if (m->n_watch > PATHS_SHOWN)
		text = arena_printf(s->arena, "%s ...", text);
	return more(s->arena, text, m->unread_bytes, "byte", " of events unread");
}

static const char *fanotify(const struct show *s, const Ofd *o, const void *msg)
{
	const Fanotify *m = msg;
	const char *text = count(s->arena, m->n_mark, "mark", "marks");

	(void)o;
	for (size_t i = 0; i < m->n_mark && i < PATHS_SHOWN; i++)
		text = arena_printf(s->arena, "%s%s%s", text, i ? " " : ": ",
				    m->mark[i]->file->path);
	return m->n_mark > PATHS_SHOWN ? arena_printf(s->arena, "%s ...", text) : text;
}

static const char *io_uring(const struct show *s, const Ofd *o, const void *msg)
{
	const IoUring *m = msg;
	const char *text =
		arena_printf(s->arena, "%u entries, %u results", m->sq_entries, m->cq_entries);

	(void)o;
	text = more(s->arena, text, m->n_file, "registered file", "");
	return more(s->arena, text, m->n_buffer, "registered buffer", "");
}

static const char *bpf_map(const struct show *s, const Ofd *o, const void *msg)
{
	const BpfMap *m = msg;

	(void)o;
	return arena_printf(s->arena, "'%s', type %u, %u entries at most", m->name, m->type,
			    m->max_entries);
}

static const char *mqueue(const struct show *s, const Ofd *o, const void *msg)
{
	const Mqueue *m = msg;

	(void)o;
	return arena_printf(s->arena, "/%s%s", m->name, m->removed ? " (removed)" : "");
}

static const char *pipe_end(const struct show *s, const Ofd *o, const void *msg)
{
	const Pipe *m = msg;

	(void)o;
	return packets(s->arena, arena_printf(s->arena, "pipe:[%" PRIu64 "]", m->inode),
		       m->n_packet, m->packet);
}

static const char *fifo(const struct show *s, const Ofd *o, const void *msg)
{
	const Fifo *m = msg;

	return packets(s->arena, o->name ? o->name : m->file->path, m->n_packet, m->packet);
}

static const char *epoll(const struct show *s, const Ofd *o, const void *msg)
{
	const Epoll *m = msg;
	const char *text = m->n_item ? "watches" : "watches nothing";

	(void)o;
	for (size_t i = 0; i < m->n_item && i < 10; i++)
		text = arena_printf(s->arena, "%s %u", text, m->item[i]->number);
	return m->n_item > 10 ? arena_printf(s->arena, "%s ... (%zu)", text, m->n_item) : text;
}

static const char *eventfd(const struct show *s, const Ofd *o, const void *msg)
{
	const Eventfd *m = msg;

	(void)o;
	return arena_printf(s->arena, "count %" PRIu64 "%s", m->count,
			    m->semaphore ? ", semaphore" : "");
}

static const char *timerfd(const struct show *s, const Ofd *o, const void *msg)
{
	const Timerfd *m = msg;
	const char *text = arena_printf(s->arena, "clock %d, %s", m->clock,
					m->value_ns ? "armed" : "not armed");

	(void)o;
	return more(s->arena, text, m->ticks, "expiration", " unread");
}

static const char *signalfd(const struct show *s, const Ofd *o, const void *msg)
{
	const Signalfd *m = msg;
	const char *text = "signals";

	(void)o;
	for (unsigned int i = 0; i < 64; i++)
		if (m->mask >> i & 1)
			text = arena_printf(s->arena, "%s %u", text, i + 1);
	return text;
}

static const char *pidfd(const struct show *s, const Ofd *o, const void *msg)
{
	const Pidfd *m = msg;

	(void)o;
	return m->pid < 0 ? "a process that has ended"
			  : arena_printf(s->arena, "process %d", m->pid);
}

static const char *stub(const struct show *s, const Ofd *o, const void *msg)
{
	const Stub *m = msg;

	(void)o;
	return arena_printf(s->arena, "%s, given up: %s", m->name,
			    m->closed ? "closed" : "/dev/null");
}

static const struct {
	const char *kind;
	const char *(*text)(const struct show *s, const Ofd *o, const void *msg);
} texts[] = {
	{ "tcp", tcp },
	{ "udp", udp },
	{ "raw", raw },
	{ "unix", unix_socket },
	{ "netlink", netlink },
	{ "packet", packet },
	{ "socket", other_socket },
	{ "tty", tty },
	{ "inotify", inotify },
	{ "fanotify", fanotify },
	{ "io_uring", io_uring },
	{ "bpf_map", bpf_map },
	{ "mqueue", mqueue },
	{ "pipe", pipe_end },
	{ "fifo", fifo },
	{ "epoll", epoll },
	{ "eventfd", eventfd },
	{ "timerfd", timerfd },
	{ "signalfd", signalfd },
	{ "pidfd", pidfd },
	{ "stub", stub },
};
static_assert(array_size(texts) == SHOW_KINDS, "one table of messages for each");

int show_read_kinds(struct show *s)
{
	int r = 0;

	for (size_t i = 0; !r && i < array_size(texts); i++)
		r = show_read_image(s, texts[i].kind, &s->kind[i]);
	return r;
}

static const char *plain(const struct show *s, const Ofd *o, uint32_t id)
{
	const char *text = o->name ? o->name : o->key;

	text = text ? text : arena_printf(s->arena, "(description %u)", id);
	return o->pos ? arena_printf(s->arena, "%s, at %" PRIu64, text, o->pos) : text;
}

const char *show_descriptor_text(const struct show *s, const Ofd *o, uint32_t id)
{
	const char *text = NULL;

	for (size_t i = 0; i < array_size(texts) && !text; i++) {
		const void *msg = strcmp(texts[i].kind, o->kind) ? NULL : show_get(&s->kind[i], id);

		text = msg ? texts[i].text(s, o, msg) : NULL;
	}
	text = text ? text : plain(s, o, id);
	return o->n_lock ? arena_printf(s->arena, "%s, %s", text,
					count(s->arena, o->n_lock, "lock", "locks"))
			 : text;
}
