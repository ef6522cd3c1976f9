/*
 * Unix sockets of all types: pairs, listeners with connections that nobody accepted, bound and
 * connected ones, receivers of datagrams.
 *
 * sock_diag tells of all sockets at once who is connected with whom, who waits in which listener's
 * queue, and what was shut down; SIOCUNIXFILE yields the file a socket is bound to, whatever became
 * of its name; queues are looked at with MSG_PEEK (unix-queue.c). A connection shares the name of
 * its listener: which sockets hold a name themselves is told by the listeners, and for abstract
 * names without one by trying to bind it. On restore all sockets that depend on another are made
 * together by the coordinator (unix-plan.c, unix-make.c). The kernel remembers who made a pair, who
 * listened and who connected (SO_PEERCRED, SO_PEERGROUPS): stand-ins with these pids do it again.
 * Lost: pidfds of makers that are gone, whether an urgent byte that was taken out left a mark.
 */
#include "sock/unix.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "sock/socket-options.h"

#define PEER_GROUPS 59 /* SO_PEERGROUPS */
#define UNIX_FILE 0x89e0 /* SIOCUNIXFILE */
enum { STATE_LISTEN = 10, GROUPS = 65536 };

int unix_name_keep(struct arena *a, const struct sockaddr_un *name, uint32_t len,
		   ProtobufCBinaryData *ret)
{
	if (len <= sizeof(sa_family_t))
		return 0;
	ret->len = len - sizeof(sa_family_t);
	if (ret->len > UNIX_NAME_BYTES)
		ret->len = UNIX_NAME_BYTES; /* a path of 108 bytes is told with a terminator */
	ret->data = arena_memdup(a, name->sun_path, ret->len);
	if (ret->data[0])
		ret->len = strnlen((const char *)ret->data, ret->len);
	return 1;
}

int unix_name(struct arena *a, int fd, long call, ProtobufCBinaryData *ret)
{
	struct sockaddr_un name;
	uint32_t len = sizeof(name);
	long r = sys(call, fd, &name, &len);

	return r ? (int)r : unix_name_keep(a, &name, len, ret);
}

static bool match(struct dump *d, struct fd_probe *p)
{
	(void)d;
	return S_ISSOCK(p->st.st_mode) && !(p->flags & O_PATH) &&
	       socket_int(p->fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX;
}

static int space(struct dump *d, struct unix_space **ret)
{
	struct unix_space *s = d->unix_space;
	int r;

	if (!s) {
		s = arena_new(&d->arena, struct unix_space);
		map_init(&s->seen, &d->arena);
		r = unix_sockets_read(&d->arena, &s->sockets);
		if (r)
			return fail(r, "ask for the unix sockets (sock_diag)");
		d->unix_space = s;
	}
	*ret = s;
	return 0;
}

static int find(struct dump *d, struct fd_probe *p, struct unix_space **ret_space,
		const struct unix_diag **ret)
{
	int r = space(d, ret_space);

	if (r)
		return r;
	*ret = unix_sockets_find(&(*ret_space)->sockets, p->st.st_ino);
	return *ret ? 0
		    : fd_refuse(d, p, "it belongs to another network namespace, or is new",
				"dump it in its own network namespace");
}

/* --- what has to be in the tree ------------------------------------------------------------------
 */

static void note(struct dump *d, const struct fd_probe *p, uint64_t peer, const char *reason,
		 const char *remedy)
{
	*vec_push(&d->arena, &d->unix_space->note) =
		(struct unix_note){ p->task, p->number, p->st.st_dev, p->st.st_ino,
				    peer,    reason,	remedy };
}

/* --ext-unix-sk alone, or with the inode of this peer. */
static bool may_stay_outside(const struct dump *d, const struct unix_diag *u)
{
	struct span rest = span_of(d->opt->ext_unix_sk ? d->opt->ext_unix_sk : ""), one;
	uint32_t ino;

	if (!d->opt->ext_unix_sk || u->type != SOCK_DGRAM || !u->peer)
		return false;
	if (!rest.len)
		return true;
	while (span_cut(&rest, ',', &one))
		if (!span_u32(one, 10, &ino) && ino == u->peer)
			return true;
	return !span_u32(rest, 10, &ino) && ino == u->peer;
}

/* A relative name means nothing to others. */
static bool can_find(const ProtobufCBinaryData *name)
{
	return name->len && (!name->data[0] || name->data[0] == '/');
}

/* The peer may be found later: in another task, in a queue. */
static void note_peer(struct dump *d, const struct fd_probe *p, const struct unix_diag *u,
		      bool named)
{
	const char *outside = arena_printf(
		&d->arena, "its peer (socket:[%" PRIu32 "]) is held outside of the tree", u->peer);

	if (u->type == SOCK_DGRAM && named) {
		if (!may_stay_outside(d, u))
			note(d, p, u->peer, outside,
			     "connect it again at the restore: --ext-unix-sk");
		return;
	}
	note(d, p, u->peer, outside,
	     arena_printf(&d->arena,
			  "dump the process that holds it as well, or declare it: --external "
			  "'unix[%" PRIu64 "]'",
			  (uint64_t)p->st.st_ino));
}

static void note_clients(struct dump *d, const struct fd_probe *p, const struct unix_diag *u)
{
	for (size_t i = 0; i < u->n_icon; i++)
		if (u->icons[i])
			note(d, p, u->icons[i],
			     arena_printf(&d->arena,
					  "a client outside of the tree (socket:[%" PRIu32
					  "]) waits to be accepted",
					  u->icons[i]),
			     "let the program accept it, or end the client");
}

static void note_all(struct dump *d, const struct fd_probe *p, const struct unix_diag *u)
{
	ProtobufCBinaryData name = { 0 };
	const struct unix_diag *listener = map_get(&d->unix_space->sockets.waiting, u->ino, 0);

	if (u->peer)
		note_peer(d, p, u,
			  unix_name(&d->arena, p->fd, SYS_getpeername, &name) > 0 &&
				  can_find(&name));
	else if (listener)
		note(d, p, listener->ino,
		     "it waits to be accepted by a server outside of the tree",
		     "wait until it is connected, or dump the server as well");
	if (u->state == STATE_LISTEN)
		note_clients(d, p, u);
}

static int look(struct dump *d, struct fd_probe *p)
{
	const struct unix_diag *u;
	struct unix_space *s;
	uint64_t n = 0;
	int r = find(d, p, &s, &u);

	if (r)
		return r == -ENOTSUP ? 0 : r; /* the stop decides */
	map_put(&s->seen, p->st.st_ino, 0, s);
	s->in_flight |= !fdinfo_u64(&p->info, "scm_fds", 10, &n) && n;
	note_all(d, p, u);
	return 0;
}

static int end(struct dump *d, bool look)
{
	struct unix_space *s = d->unix_space;
	int r = 0;

	vec_foreach(n, s ? &s->note : &(typeof(s->note)){ 0 }) {
		if (look ? s->in_flight || map_get(&s->seen, n->peer, 0)
			 : files_seen(d, n->dev, n->peer) != NULL)
			continue;
		r = refuse(&d->blockers, n->task->pid,
			   arena_printf(&d->arena, "descriptor %d (socket:[%" PRIu64 "])",
					n->number, n->ino),
			   n->reason, n->remedy);
	}
	if (s)
		unix_keeper_end(s);
	if (look)
		d->unix_space = NULL; /* the dump asks anew */
	return r;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int dump_cred(struct dump *d, struct fd_probe *p, UnixCred **ret)
{
	struct ucred c;
	uint32_t len = sizeof(c), *group = arena_array(&d->arena, uint32_t, 1);
	UnixCred *m = arena_new(&d->arena, UnixCred);
	long r = sys(SYS_getsockopt, p->fd, SOL_SOCKET, SO_PEERCRED, &c, &len);

	if (r)
		return fail(r, "descriptor %d: ask who made it", p->number);
	if (c.pid <= 0)
		return 0;
	unix_cred__init(m);
	m->pid = c.pid;
	m->uid = c.uid;
	m->gid = c.gid;
	len = 0;
	r = sys(SYS_getsockopt, p->fd, SOL_SOCKET, PEER_GROUPS, group, &len);
	if (r == -ERANGE && len <= GROUPS * sizeof(*group)) {
		group = arena_alloc(&d->arena, len);
		r = sys(SYS_getsockopt, p->fd, SOL_SOCKET, PEER_GROUPS, group, &len);
	}
	if (r && r != -ENOPROTOOPT)
		return fail(r, "descriptor %d: ask for the groups of who made it", p->number);
	m->group = group;
	m->n_group = r ? 0 : len / sizeof(*group);
	*ret = m;
	return 0;
}

static int dump_file(struct dump *d, struct fd_probe *p, Unix *m)
{
	_close_ int fd = sys_ioctl(p->fd, UNIX_FILE, NULL);
	struct stat st, now;
	char path[4097];
	UnixFile *f;
	size_t len;
	int r;

	if (fd == -ENOENT || fd == -EINVAL)
		return 0; /* none: it shares the text of a name only */
	if (fd < 0)
		return fail(fd, "descriptor %d: ask for the file it is bound to", p->number);
	r = sys_stat(fd, "", 0, &st, NULL);
	r = r ?: sys_readlink(AT_FDCWD, arena_printf(&d->arena, "/proc/self/fd/%d", fd), path,
			      sizeof(path));
	if (r < 0)
		return fail(r, "descriptor %d: look at the file it is bound to", p->number);
	f = arena_new(&d->arena, UnixFile);
	unix_file__init(f);
	len = strlen(path);
	r = sys_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &now, NULL);
	if (r && r != -ENOENT && r != -ENOTDIR)
		return fail(r, "look at '%s'", path);
	f->deleted = r || now.st_ino != st.st_ino || now.st_dev != st.st_dev;
	if (f->deleted && len > 10 && !strcmp(path + len - 10, " (deleted)"))
		path[len - 10] = 0;
	f->path = arena_strdup(&d->arena, path);
	f->mode = st.st_mode;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	m->file = f;
	return 0;
}

/* Whether nobody could bind this abstract name now: 1, 0, -errno. */
static int is_taken(const Unix *m)
{
	_close_ int fd = (int)sys(SYS_socket, AF_UNIX, m->type | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r;

	memcpy(a.sun_path, m->name.data, m->name.len);
	r = fd < 0 ? fd : (int)sys(SYS_bind, fd, &a, sizeof(a.sun_family) + m->name.len);
	if (r && r != -EADDRINUSE)
		return fail(r, "look whether an abstract name is in use");
	return r != 0;
}

/* A connection has its listener's name; one that is bound itself holds it: 1, 0, -errno. */
static int holds_name(const struct unix_space *s, const Unix *m, const struct unix_diag *u)
{
	const struct unix_sharing *same =
		unix_sockets_named(&s->sockets, u->type, (struct span){ u->name.p, u->name.len });

	if (!m->has_name)
		return false;
	if (m->type == SOCK_DGRAM || m->listens || !m->connected)
		return true;
	for (size_t i = 0; same && i < same->socket.n; i++) {
		const struct unix_diag *o = same->socket.v[i];

		if (o != u && o->file_ino == u->file_ino && !o->has_peer)
			return false; /* a listener, or somebody who is bound: theirs */
	}
	return unix_is_path(&m->name) ? 0 : is_taken(m);
}

static int dump_names(struct dump *d, struct fd_probe *p, const struct unix_diag *u, Unix *m)
{
	int r = unix_name(&d->arena, p->fd, SYS_getsockname, &m->name), peer = 0;

	m->has_name = r > 0;
	if (u->has_peer)
		peer = unix_name(&d->arena, p->fd, SYS_getpeername, &m->peer_name);
	m->has_peer_name = peer > 0;
	if (r < 0 || (peer < 0 && peer != -ENOTCONN))
		return fail(r < 0 ? r : peer, "descriptor %d: ask for its names", p->number);
	m->has_outside = m->outside =
		m->has_peer_name && can_find(&m->peer_name) && may_stay_outside(d, u);
	r = holds_name(d->unix_space, m, u);
	m->has_holds_name = true;
	m->holds_name = r > 0;
	return r < 0 ? r : 0;
}

static int dump_state(struct dump *d, struct fd_probe *p, const struct unix_diag *u, Unix *m)
{
	int unread = 0, r;

	m->shutdown = u->shutdown;
	m->has_listens = m->listens = u->state == STATE_LISTEN;
	m->has_backlog = m->listens;
	m->backlog = u->backlog;
	m->has_connected = m->connected = u->has_peer;
	m->has_peer = u->peer != 0;
	m->peer = u->peer;
	m->has_waits = m->waits = u->has_peer && !u->peer &&
				  map_get(&d->unix_space->sockets.waiting, u->ino, 0);
	r = dump_names(d, p, u, m);
	if (r)
		return r;
	r = m->listens ? 0 : sys_ioctl(p->fd, SIOCOUTQ, &unread);
	if (r)
		return fail(r, "descriptor %d: ask for what is not read", p->number);
	m->has_unread = unread > 0;
	m->unread = (uint32_t)unread;
	return m->listens ? unix_pending_dump(d, p, u, m) : 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	const struct unix_diag *u;
	struct unix_space *s;
	Unix *m = msg;
	int r = find(d, p, &s, &u);

	if (r)
		return r;
	m->type = (int32_t)socket_int(p->fd, SOL_SOCKET, SO_TYPE);
	if (m->type < 0)
		return fail(m->type, "descriptor %d: ask for its type", p->number);
	m->inode = p->st.st_ino;
	m->mode = p->st.st_mode;
	m->uid = p->st.st_uid;
	m->gid = p->st.st_gid;
	p->key = arena_printf(&d->arena, "socket:[%" PRIu64 "]", m->inode);
	note_all(d, p, u);
	r = dump_state(d, p, u, m);
	if (!r && m->has_name && unix_is_path(&m->name))
		r = dump_file(d, p, m);
	r = r ?: dump_cred(d, p, &m->cred);
	r = r ?: unix_queue_dump(d, p, m);
	return r ?: socket_options_dump(d, p, &m->n_option, &m->option);
}

/* --- restore -------------------------------------------------------------------------------------
 */

/* All of them are one group: what belongs together is told by inodes and names. */
static uint64_t group(const void *msg)
{
	(void)msg;
	return 0;
}

/* Moves out of the world what was made for this object, or makes it. */
static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	struct unix_end *e = (struct unix_end *)obj->msg;
	int pair[2], r;

	if (!e->simple) {
		r = unix_world_make(e->world);
		return r ? r : take_fd(&e->fd);
	}
	if (!obj->twin)
		return unix_socket(e->m->type);
	r = unix_pair(o->task ? NULL : e->m->cred, e->m->type, pair);
	if (r)
		return r;
	obj->twin->fd = pair[1];
	return pair[0];
}

static int fill(struct opener *o, const struct fd_obj *obj, int fd)
{
	struct unix_end *e = (struct unix_end *)obj->msg;
	int r;

	(void)o;
	(void)fd;
	r = unix_queue_fill(e);
	if (r || --e->world->left)
		return r;
	return unix_world_settle(e->world);
}

const struct fd_kind kind_unix = { .name = "unix",
				   .descriptor = &unix__descriptor,
				   .dump_last = true,
				   .meets = true,
				   .match = match,
				   .dump = dump,
				   .look = look,
				   .end = end,
				   .group = group,
				   .plan_group = unix_plan_group,
				   .open = open_fd,
				   .fill = fill };
