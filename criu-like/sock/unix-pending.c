/*
 * Connections that nobody has accepted. sock_diag lists the clients that wait (0: closed already);
 * the other end of such a connection has no file yet, so what was sent into it can be reached by no
 * system call, short of accepting it, which could not be undone. Where something was sent, or a
 * client is gone, the kernel's own structures are read (kernel/kernel-memory.c): the listener's
 * queue holds the connections in order, each with its queue of messages. The tree is stopped, so
 * they are still. Messages of more than one page part, with descriptors or an urgent byte are
 * refused by name.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/descriptor.h"
#include "kernel/kernel-memory.h"
#include "sock/unix.h"

enum { MOST = 1 << 20, PART_BYTES = 4096, PID_NUMBERS = 32 };

struct layout { /* offsets of members */
	int queue, socket, peer_pid, peer_cred, oob, inode, ino, sk, cb, len, data_len, data;
	int pid, fp, uid, gid, consumed, level, numbers, euid, egid;
};
struct unix_kernel {
	struct kernel_memory memory;
	struct layout at;
	uint64_t *socket;
	size_t n;
};

static int find_layout(const struct btf *b, struct layout *ret)
{
	const struct {
		int *to;
		const char *structure, *member;
	} want[] = {
		{ &ret->queue, "sock", "sk_receive_queue" },
		{ &ret->socket, "sock", "sk_socket" },
		{ &ret->peer_pid, "sock", "sk_peer_pid" },
		{ &ret->peer_cred, "sock", "sk_peer_cred" },
		{ &ret->oob, "unix_sock", "oob_skb" },
		{ &ret->inode, "socket_alloc", "vfs_inode" },
		{ &ret->ino, "inode", "i_ino" },
		{ &ret->sk, "sk_buff", "sk" },
		{ &ret->cb, "sk_buff", "cb" },
		{ &ret->len, "sk_buff", "len" },
		{ &ret->data_len, "sk_buff", "data_len" },
		{ &ret->data, "sk_buff", "data" },
		{ &ret->pid, "unix_skb_parms", "pid" },
		{ &ret->fp, "unix_skb_parms", "fp" },
		{ &ret->uid, "unix_skb_parms", "uid" },
		{ &ret->gid, "unix_skb_parms", "gid" },
		{ &ret->consumed, "unix_skb_parms", "consumed" },
		{ &ret->level, "pid", "level" },
		{ &ret->numbers, "pid", "numbers" },
		{ &ret->euid, "cred", "euid" },
		{ &ret->egid, "cred", "egid" },
	};

	for (size_t i = 0; i < array_size(want); i++) {
		*want[i].to = btf_member(b, want[i].structure, want[i].member);
		if (*want[i].to < 0)
			return *want[i].to;
	}
	return 0;
}

static int open_kernel(struct dump *d, struct unix_kernel **ret)
{
	struct unix_space *s = d->unix_space;
	struct unix_kernel *k = s->kernel;
	int r;

	if (!k && !s->kernel_error) {
		k = arena_new(&d->arena, struct unix_kernel);
		r = kernel_memory_open(&d->arena, &k->memory);
		r = r ?: find_layout(&k->memory.btf, &k->at);
		r = r ?: kernel_memory_unix(&k->memory, &d->arena, &k->socket, &k->n);
		s->kernel_error = r;
		s->kernel = k;
	}
	*ret = k;
	return s->kernel_error;
}

static uint64_t pointer(const struct unix_kernel *k, uint64_t address, int offset, int *r)
{
	uint64_t v = 0;

	if (!*r)
		*r = kernel_memory_read(&k->memory, address + (uint64_t)offset, &v, sizeof(v));
	return v;
}

static uint32_t word(const struct unix_kernel *k, uint64_t address, int offset, int *r)
{
	uint32_t v = 0;

	if (!*r)
		*r = kernel_memory_read(&k->memory, address + (uint64_t)offset, &v, sizeof(v));
	return v;
}

/* Messages of a socket's receive queue, first to last: linked through their first word. */
static uint64_t next_message(const struct unix_kernel *k, uint64_t sock, uint64_t at, int *r)
{
	uint64_t head = sock + (uint64_t)k->at.queue;
	uint64_t next = pointer(k, at ? at : head, 0, r);

	return *r || next == head ? 0 : next;
}

static uint64_t find_listener(const struct unix_kernel *k, uint64_t inode)
{
	for (size_t i = 0; i < k->n; i++) {
		int r = 0;
		uint64_t socket = pointer(k, k->socket[i], k->at.socket, &r);

		if (!r && socket &&
		    pointer(k, socket, k->at.inode + k->at.ino, &r) == inode && !r)
			return k->socket[i];
	}
	return 0;
}

/* The number that a process has in its own namespace, which is the tool's. */
static int32_t pid_of(const struct unix_kernel *k, uint64_t pid, int *r)
{
	uint32_t level = pid ? word(k, pid, k->at.level, r) : 0;

	if (!pid || *r || level >= PID_NUMBERS)
		return 0;
	return (int32_t)word(k, pid, k->at.numbers + 16 * (int)level, r);
}

static UnixCred *cred_new(struct dump *d, int32_t pid, uint32_t uid, uint32_t gid)
{
	UnixCred *c = pid > 0 ? arena_new(&d->arena, UnixCred) : NULL;

	if (!c)
		return NULL;
	unix_cred__init(c);
	c->pid = pid;
	c->uid = uid;
	c->gid = gid;
	return c;
}

/* 1: refused, the reason in *ret_why. */
static int add_message(struct dump *d, const struct unix_kernel *k, uint64_t skb, UnixPending *p,
		       const char **ret_why)
{
	uint64_t cb = skb + (uint64_t)k->at.cb, data;
	UnixMessage *m = arena_new(&d->arena, UnixMessage);
	int r = 0;
	uint32_t len = word(k, skb, k->at.len, &r), parts = word(k, skb, k->at.data_len, &r);
	uint32_t used = word(k, cb, k->at.consumed, &r);
	uint64_t pid = pointer(k, cb, k->at.pid, &r), files = pointer(k, cb, k->at.fp, &r);

	data = pointer(k, skb, k->at.data, &r);
	if (!r && (files || parts || len > PART_BYTES || used > len))
		*ret_why = files ? "descriptors travel in a connection that nobody has accepted"
				 : "much was sent into a connection that nobody has accepted";
	if (r || *ret_why)
		return r;
	unix_message__init(m);
	m->bytes = (ProtobufCBinaryData){ len - used, arena_alloc(&d->arena, len + 1) };
	r = kernel_memory_read(&k->memory, data + used, m->bytes.data, m->bytes.len);
	m->cred = cred_new(d, pid_of(k, pid, &r), word(k, cb, k->at.uid, &r),
			   word(k, cb, k->at.gid, &r));
	p->queue = arena_grow(&d->arena, p->queue, p->n_queue * sizeof(m),
			      (p->n_queue + 1) * sizeof(m));
	p->queue[p->n_queue++] = m;
	return r;
}

static int read_connection(struct dump *d, const struct unix_kernel *k, uint64_t sock,
			   UnixPending *p, const char **ret_why)
{
	int r = 0, n = 0;
	uint64_t cred = pointer(k, sock, k->at.peer_cred, &r);
	int32_t pid = pid_of(k, pointer(k, sock, k->at.peer_pid, &r), &r);

	if (!r && cred)
		p->cred = cred_new(d, pid, word(k, cred, k->at.euid, &r),
				   word(k, cred, k->at.egid, &r));
	if (pointer(k, sock, k->at.oob, &r))
		*ret_why = "an urgent byte waits in a connection that nobody has accepted";
	for (uint64_t skb = next_message(k, sock, 0, &r); skb && !r && !*ret_why && n++ < MOST;
	     skb = next_message(k, sock, skb, &r))
		r = add_message(d, k, skb, p, ret_why);
	return r;
}

static int read_all(struct dump *d, const struct unix_kernel *k, Unix *m, const char **ret_why)
{
	uint64_t listener = find_listener(k, m->inode), skb;
	size_t i = 0;
	int r = 0;

	if (!listener)
		return -ENOENT;
	for (skb = next_message(k, listener, 0, &r); skb && !r && !*ret_why && i < m->n_pending;
	     skb = next_message(k, listener, skb, &r)) {
		uint64_t sock = pointer(k, skb, k->at.sk, &r);

		r = r ?: read_connection(d, k, sock, m->pending[i++], ret_why);
	}
	return r ? r : !*ret_why && (skb || i < m->n_pending) ? -ESTALE : 0;
}

/* Whether a client sent anything that the other end has not read: more than 0, 0, -errno. */
static int has_sent(struct dump *d, const struct fd_probe *p, uint32_t client)
{
	const struct fd_seen *s = files_seen(d, p->st.st_dev, client);
	_close_ int fd = s ? sys_pidfd_getfd(s->task->pidfd, s->number) : -1;
	int unread = 0, r;

	if (!s)
		return 0; /* outside of the tree, which is refused */
	r = fd < 0 ? fd : sys_ioctl(fd, SIOCOUTQ, &unread);
	return r ? fail(r, "ask what a client has sent") : unread;
}

int unix_pending_dump(struct dump *d, struct fd_probe *p, const struct unix_diag *u, Unix *m)
{
	const char *why = NULL;
	struct unix_kernel *k;
	bool look = false;
	int r;

	m->pending = arena_array(&d->arena, UnixPending *, u->n_icon);
	for (size_t i = 0; i < u->n_icon; i++) {
		UnixPending *pending = arena_new(&d->arena, UnixPending);

		unix_pending__init(pending);
		pending->has_client = u->icons[i] != 0;
		pending->client = u->icons[i];
		r = u->icons[i] ? has_sent(d, p, u->icons[i]) : 1;
		if (r < 0)
			return r;
		look |= r > 0;
		m->pending[m->n_pending++] = pending;
	}
	if (!look)
		return 0;
	r = open_kernel(d, &k);
	r = r ?: read_all(d, k, m, &why);
	if (r || why)
		return fd_refuse(d, p,
				 why ? why
				     : arena_printf(&d->arena,
						    "what was sent into a connection that nobody "
						    "has accepted cannot be read (%s)",
						    strerror(-r)),
				 "let the program accept it before the dump");
	return 0;
}
