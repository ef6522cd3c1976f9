/*
 * Making the unix sockets that depend on one another, in the coordinator, before the first task
 * exists: sockets, names, listeners, connections in the order in which they wait or were accepted.
 *
 * A connection takes three facts from processes: the client sees who listened, the accepted socket
 * who connected, both ends of a pair who made them. A stand-in with that pid, user and groups does
 * it; what the same process did is done by one stand-in. Descriptors are kept at numbers where
 * nothing else will be put until their objects take them.
 */
#include <errno.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/build/stand-in.h"
#include "kernel/descriptor.h"
#include "sock/unix.h"

enum { BATCH = 512, BACKLOG = 4096 };

int unix_socket(int32_t type)
{
	int fd = (int)sys(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? fail(fd, "make a socket") : fd;
}

int unix_act_as(const UnixCred *c, int (*fn)(void *), void *arg)
{
	struct stand_in s = { .inside = fn, .arg = arg };

	if (!c)
		return fn(arg);
	s.pid = c->pid;
	s.uid = c->uid;
	s.gid = c->gid;
	s.set_groups = true;
	s.group = c->group;
	s.n_group = c->n_group;
	if (!sys(SYS_kill, c->pid, 0)) {
		log_warn("process %d exists: the credentials of a socket will name another",
			 c->pid);
		s.pid = 0;
	}
	return stand_in_run(&s);
}

static bool same_cred(const UnixCred *a, const UnixCred *b)
{
	if (!a || !b)
		return a == b;
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid &&
	       a->n_group == b->n_group &&
	       !__builtin_memcmp(a->group, b->group, a->n_group * sizeof(*a->group));
}

/* --- pairs ---------------------------------------------------------------------------------------
 */

struct pairing { /* in memory that the stand-in shares */
	size_t n;
	int32_t type[BATCH];
	int fd[BATCH][2];
};

static int make_pairs(void *arg)
{
	struct pairing *p = arg;
	int r = 0;

	for (size_t i = 0; i < p->n && !r; i++)
		r = (int)sys(SYS_socketpair, AF_UNIX, p->type[i] | SOCK_CLOEXEC, 0, p->fd[i]);
	return r;
}

static const UnixCred *maker(const struct unix_end *e)
{
	return e->m && e->m->cred ? e->m->cred : e->pair->m ? e->pair->m->cred : NULL;
}

static int flush_pairs(struct unix_world *w, struct pairing *p, struct unix_end **end)
{
	int r = p->n ? unix_act_as(maker(end[0]), make_pairs, p) : 0;

	for (size_t i = 0; i < p->n && !r; i++) {
		end[i]->fd = p->fd[i][0];
		end[i]->pair->fd = p->fd[i][1];
		r = files_set_aside(w->r, &end[i]->fd);
		r = r ?: files_set_aside(w->r, &end[i]->pair->fd);
	}
	p->n = 0;
	return r ? fail(r, "make pairs of sockets") : 0;
}

static int map_pairing(struct mapping *ret)
{
	size_t len = (sizeof(struct pairing) + 4095) & ~4095ul;
	long at = sys(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);

	if (at < 0)
		return fail(at, "map a page");
	*ret = (struct mapping){ (void *)at, len };
	return 0;
}

int unix_pair(const UnixCred *c, int32_t type, int ret[2])
{
	_unmap_ struct mapping map = { 0 };
	struct pairing *p;
	int r = map_pairing(&map);

	if (r)
		return r;
	p = map.p;
	p->n = 1;
	p->type[0] = type;
	r = unix_act_as(c, make_pairs, p);
	ret[0] = p->fd[0][0];
	ret[1] = p->fd[0][1];
	return r ? fail(r, "make a pair of sockets") : 0;
}

static int make_all_pairs(struct unix_world *w)
{
	_unmap_ struct mapping map = { 0 };
	struct unix_end *end[BATCH];
	struct pairing *p;
	int r = map_pairing(&map);

	if (r)
		return r;
	p = map.p;
	vec_foreach(i, &w->end) {
		struct unix_end *e = *i;

		if (r || !e->pair || e->fd >= 0 || (e->pair->m && e->pair->m->inode < e->m->inode))
			continue;
		if (p->n == BATCH || (p->n && !same_cred(maker(end[0]), maker(e))))
			r = flush_pairs(w, p, end);
		end[p->n] = e;
		p->type[p->n++] = e->type;
	}
	return r ?: flush_pairs(w, p, end);
}

static int make_single(struct unix_world *w, struct unix_end *e)
{
	if (e->pair || e->accepted)
		return 0;
	e->fd = unix_socket(e->type);
	return e->fd < 0 ? e->fd : files_set_aside(w->r, &e->fd);
}

/* --- listeners and connections -------------------------------------------------------------------
 */

struct listening {
	int fd;
	uint32_t backlog;
};

static int listen_now(void *arg)
{
	const struct listening *l = arg;

	return (int)sys(SYS_listen, l->fd, l->backlog);
}

static int listen_as(struct unix_address *a, const UnixCred *c, uint32_t backlog)
{
	struct listening l = { a->owner ? unix_fd(a->owner) : a->socket, backlog };
	int r = unix_act_as(c, listen_now, &l);

	a->listening = true;
	a->cred = c;
	return r ? fail(r, "let a socket listen") : 0;
}

struct joining { /* clients of one address that one process connected */
	struct unix_address *to;
	const UnixCred *as;
	struct unix_end *client[BATCH];
	size_t n;
};

static int connect_now(void *arg)
{
	const struct joining *j = arg;
	int r = 0;

	for (size_t i = 0; i < j->n && !r; i++)
		r = unix_connect(unix_fd(j->client[i]), j->to);
	return r;
}

/* What this side shut and the other one does not know was shut before they were connected. */
static int shut_early(const struct unix_end *e)
{
	uint32_t other = e->peer && e->peer->m ? e->peer->m->shutdown : 3;
	bool receive, send;

	if (!e->m || !e->peer || !e->peer->m)
		return 0;
	receive = e->m->shutdown & UNIX_SHUT_RECEIVE && !(other & UNIX_SHUT_SEND);
	send = e->m->shutdown & UNIX_SHUT_SEND && !(other & UNIX_SHUT_RECEIVE);
	if (!receive && !send)
		return 0;
	return (int)sys(SYS_shutdown, unix_fd(e),
			receive && send ? SHUT_RDWR : receive ? SHUT_RD : SHUT_WR);
}

static int flush_joining(struct unix_world *w, struct joining *j)
{
	int listener = !j->to ? -1 : j->to->owner ? unix_fd(j->to->owner) : j->to->socket;
	int r = 0;

	for (size_t i = 0; i < j->n && !r; i++)
		r = shut_early(j->client[i]);
	r = r || !j->n ? r : unix_act_as(j->as, connect_now, j);
	if (r)
		return fail(r, "connect a socket");
	for (size_t i = 0; i < j->n; i++) {
		struct unix_end *server = j->client[i]->peer;

		if (!server)
			continue; /* it waits on */
		server->fd = (int)sys(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);
		if (server->fd < 0)
			return fail(server->fd, "accept a connection");
		r = files_set_aside(w->r, &server->fd);
		if (r)
			return r;
	}
	j->n = 0;
	return 0;
}

static int join(struct unix_world *w, struct joining *j, struct unix_end *client,
		const UnixCred *as)
{
	struct unix_address *to = client->peer ? client->peer->name : client->peer_name;
	const UnixCred *server = client->m ? client->m->cred : to->cred;
	bool other = j->n && (j->to != to || !same_cred(j->as, as) ||
			      !same_cred(to->cred, server) || j->n == BATCH);
	int r = other ? flush_joining(w, j) : 0;

	if (!r && (!to->listening || !same_cred(to->cred, server)))
		r = listen_as(to, server, BACKLOG);
	j->to = to;
	j->as = as;
	j->client[j->n++] = client;
	return r;
}

static int join_accepted(struct unix_world *w, struct joining *j)
{
	int r = 0;

	vec_foreach(e, &w->end) {
		if (!r && (*e)->accepted)
			r = join(w, j, (*e)->peer, (*e)->m->cred);
		else if (!r && (*e)->peer && (*e)->peer->accepted && !(*e)->peer->m)
			r = join(w, j, *e, NULL);
	}
	return r ?: flush_joining(w, j);
}

/* Who connected is not always told before somebody accepts: the first owner, most likely. */
static const UnixCred *owner_cred(struct unix_world *w, const struct unix_end *e)
{
	const struct task *t = files_owner(w->r, e->obj);
	UnixCred *c = t ? arena_new(&w->r->arena, UnixCred) : NULL;

	if (!c)
		return NULL;
	unix_cred__init(c);
	c->pid = t->pid;
	c->uid = t->uid[1];
	c->gid = t->gid[1];
	return c;
}

static int join_waiting(struct unix_world *w, struct joining *j)
{
	int r = 0;

	vec_foreach(e, &w->end) {
		for (size_t i = 0; i < (*e)->m->n_pending && !r; i++) {
			struct unix_end *c = (*e)->client[i];
			const UnixCred *as = (*e)->m->pending[i]->cred;

			r = join(w, j, c, as || !c->m ? as : owner_cred(w, c));
		}
		r = r ?: flush_joining(w, j);
	}
	return r;
}

static int listen_all(struct unix_world *w)
{
	int r = 0;

	vec_foreach(e, &w->end)
		if (!r && (*e)->m->listens)
			r = listen_as((*e)->name, (*e)->m->cred, (*e)->m->backlog);
	return r;
}

/* What waits for it comes from its peer alone. */
static bool only_from_peer(const struct unix_end *e)
{
	for (size_t i = 0; i < e->m->n_queue; i++)
		if (!e->m->queue[i]->has_sender ||
		    !unix_same_bytes(&e->m->queue[i]->sender, &e->peer->name->name))
			return false;
	return e->m->n_queue > 0;
}

/* Such sockets may be connected before their queues are filled, which then have no limit. */
static int join_datagrams(struct unix_world *w)
{
	int r = 0;

	vec_foreach(i, &w->end) {
		struct unix_end *e = *i;

		if (r || e->type != SOCK_DGRAM || !e->peer || e->joined || !e->peer->name ||
		    !only_from_peer(e))
			continue;
		r = unix_connect(unix_fd(e), e->peer->name);
		e->joined = true;
	}
	return r ? fail(r, "connect a datagram socket") : 0;
}

int unix_world_make(struct unix_world *w)
{
	struct joining j = { 0 };
	int r = 0;

	if (w->made)
		return 0;
	w->made = true;
	vec_foreach(e, &w->end)
		r = r ?: make_single(w, *e);
	vec_foreach(e, &w->passing)
		r = r ?: make_single(w, *e);
	r = r ?: make_all_pairs(w);
	r = r ?: unix_addresses_bind(w);
	r = r ?: join_accepted(w, &j);
	r = r ?: join_waiting(w, &j);
	r = r ?: join_datagrams(w);
	return r ?: listen_all(w);
}
