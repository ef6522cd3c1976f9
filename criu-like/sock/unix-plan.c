/*
 * The plan for unix sockets: who is whose peer, and who makes what.
 *
 * A pair without names, and a socket without any relation, is made by the task that has it. All
 * others depend on names and on an order (bound, listening, connected, accepted), so the
 * coordinator makes them together. A peer that is gone is made for a moment, with its name, to fill
 * the queue and to be seen going. Records are checked here: nothing of them is trusted later.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/err.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "sock/socket-options.h"
#include "sock/unix.h"

static int bad(const Unix *m, const char *what)
{
	return fail(-EPROTO, "image 'unix': socket %" PRIu64 ": %s", m->inode, what);
}

static int check_record(const Unix *m)
{
	bool stream = m->type == SOCK_STREAM || m->type == SOCK_SEQPACKET;

	if (!stream && m->type != SOCK_DGRAM)
		return bad(m, "no such type");
	if (m->has_name && (!m->name.len || m->name.len > UNIX_NAME_BYTES))
		return bad(m, "its name has a wrong length");
	if (m->has_peer_name && (!m->peer_name.len || m->peer_name.len > UNIX_NAME_BYTES))
		return bad(m, "its peer's name has a wrong length");
	if (m->listens && (!stream || m->connected || !m->has_name))
		return bad(m, "it cannot listen");
	if (m->n_pending && !m->listens)
		return bad(m, "nobody can wait for it");
	if ((m->n_queue && !m->connected && stream) || m->shutdown > 3)
		return bad(m, "it cannot have such a state");
	if (m->file && m->file->path[0] != '/')
		return bad(m, "its file has no name");
	return 0;
}

static int add_end(struct unix_world *w, struct fd_obj *o, struct unix_end **ret)
{
	struct unix_end *e = arena_new(&w->r->arena, struct unix_end);
	const Unix *m = o->msg;
	int r = check_record(m);

	if (r)
		return r;
	if (map_get(&w->by_inode, m->inode, 0))
		return bad(m, "twice");
	r = socket_options_plan(w->r, o, m->n_option, m->option);
	if (r && r != -ENOTSUP)
		return r;
	*e = (struct unix_end){ .obj = o, .m = m, .world = w, .type = m->type, .fd = -1,
				.left = m->unread };
	map_put(&w->by_inode, m->inode, 0, e);
	o->msg = e;
	*ret = e;
	return 0;
}

/* --- peers ---------------------------------------------------------------------------------------
 */

static int need_files(struct unix_world *w, struct unix_end *e)
{
	for (size_t i = 0; i < e->m->n_queue; i++)
		for (size_t j = 0; j < e->m->queue[i]->n_file; j++) {
			struct fd_obj *o = files_find(w->r, e->m->queue[i]->file[j]);

			if (!o)
				return bad(e->m, "an unknown file is in its queue");
			if (o != e->obj)
				*vec_push(&w->r->arena, &e->obj->needs) = o;
		}
	return 0;
}

static int replaced(struct unix_world *w, const struct unix_end *e)
{
	return refuse(&w->r->blockers, 0, e->obj->ofd->key ? e->obj->ofd->key : "socket",
		      "its peer is not in the checkpoint, or the caller replaces it",
		      "hand this end over as well: --inherit-fd");
}

/* The server outside has to be there again. */
static int check_outside(struct unix_world *w, const struct unix_end *e)
{
	const ProtobufCBinaryData *n = &e->m->peer_name;
	const char *path = arena_strndup(&w->r->arena, (const char *)n->data, n->len);
	struct stat st;

	if (!unix_is_path(n) ||
	    (!sys_stat(AT_FDCWD, path, 0, &st, NULL) && S_ISSOCK(st.st_mode)))
		return 0;
	return refuse(&w->r->blockers, 0,
		      e->obj->ofd->key ? e->obj->ofd->key : "socket",
		      arena_printf(&w->r->arena, "no server is at '%s', to which it was connected",
				   path),
		      "start the server first");
}

static struct unix_end *add_passing(struct unix_world *w, struct unix_end *of, int32_t type)
{
	struct unix_end *p = arena_new(&w->r->arena, struct unix_end);

	*p = (struct unix_end){ .world = w, .type = type, .peer = of, .fd = -1 };
	*vec_push(&w->r->arena, &w->passing) = p;
	return p;
}

static int find_peer(struct unix_world *w, struct unix_end *e)
{
	const Unix *m = e->m;

	e->peer = m->connected && m->has_peer ? map_get(&w->by_inode, m->peer, 0) : NULL;
	e->waits = m->connected && m->waits && !e->peer;
	if (e->waits && m->type == SOCK_DGRAM)
		return bad(m, "it cannot wait for a connection");
	if (!m->connected || e->peer || e->waits)
		return 0;
	if (m->outside && m->type == SOCK_DGRAM && m->has_peer_name)
		return check_outside(w, e);
	if (m->has_peer)
		return replaced(w, e);
	e->peer = add_passing(w, e, e->type);
	return 0;
}

static int link_end(struct unix_world *w, struct unix_end *e)
{
	int r = find_peer(w, e);

	return r && r != -ENOTSUP ? r : need_files(w, e);
}

static int check_peer(const struct unix_end *e)
{
	const struct unix_end *p = e->peer;

	if (!p || !p->m)
		return 0;
	if (p->type != e->type)
		return bad(e->m, "its peer is of another type");
	if (e->type != SOCK_DGRAM && (p->peer != e || p == e))
		return bad(e->m, "its peer is connected to another one");
	return 0;
}

/* --- who makes it --------------------------------------------------------------------------------
 */

static bool made_by_owner(struct restore *r, const struct unix_end *e)
{
	const struct task *t = files_owner(r, e->obj);
	const UnixCred *c = e->m->cred;

	return !c || (t && t->pid == c->pid && !c->uid && !c->gid && !c->n_group);
}

static bool plain_queue(const Unix *m)
{
	for (size_t i = 0; i < m->n_queue; i++)
		if (m->queue[i]->n_file || m->queue[i]->cred || m->queue[i]->has_sender)
			return false;
	return true;
}

static bool is_simple(struct restore *r, const struct unix_end *e)
{
	const struct unix_end *p = e->peer;

	if (e->m->has_name || e->m->has_peer_name || !plain_queue(e->m) || e->waits)
		return false;
	if (!e->m->connected)
		return !e->m->n_queue;
	return p && p->m && p != e && p->peer == e && !p->m->has_name && made_by_owner(r, e);
}

static void alone(struct unix_world *of, struct unix_end *e, struct unix_end *peer)
{
	struct unix_world *w = arena_new(&of->r->arena, struct unix_world);

	*w = (struct unix_world){ .r = of->r, .left = peer ? 2 : 1, .made = true };
	*vec_push(&w->r->arena, &w->end) = e;
	e->world = w;
	if (!peer)
		return;
	*vec_push(&w->r->arena, &w->end) = peer;
	peer->world = w;
	e->obj->twin = peer->obj;
	peer->obj->twin = e->obj;
}

static void divide(struct unix_world *w, struct unix_end **end, size_t n)
{
	for (size_t i = 0; i < n; i++)
		end[i]->simple = is_simple(w->r, end[i]);
	for (size_t i = 0; i < n; i++) {
		struct unix_end *e = end[i], *p = e->peer;

		if (e->simple && p && !p->simple)
			e->simple = false;
		if (e->simple && (!p || p->m->inode > e->m->inode))
			alone(w, e, p);
		if (e->simple)
			continue;
		e->obj->shared = true;
		*vec_push(&w->r->arena, &w->end) = e;
		w->left++;
	}
}

/* Those made in pairs: of streams where no listener is in between, of datagrams if they lack a
 * name. */
static int find_pairs(struct unix_world *w)
{
	vec_foreach(i, &w->end) {
		struct unix_end *e = *i, *p = e->peer;
		bool together = p && p != e && !e->pair &&
				(e->type == SOCK_DGRAM ? !p->name : !e->accepted && !p->accepted);

		if (!together)
			continue;
		if (p->pair || p->simple)
			return bad(e->m, "its peer was made with another one");
		e->pair = p;
		p->pair = e;
		e->joined = true;
		p->joined = p->peer == e;
	}
	return 0;
}

/* Their descriptors would have to be needed as well. */
static bool sendable(const UnixPending *p)
{
	for (size_t i = 0; i < p->n_queue; i++)
		if (p->queue[i]->n_file)
			return false;
	return true;
}

static int check_pending(struct unix_world *w)
{
	vec_foreach(e, &w->end) {
		(*e)->client = arena_array(&w->r->arena, struct unix_end *, (*e)->m->n_pending);
		for (size_t i = 0; i < (*e)->m->n_pending; i++) {
			const UnixPending *pending = (*e)->m->pending[i];
			struct unix_end *c = pending->has_client
						     ? map_get(&w->by_inode, pending->client, 0)
						     : add_passing(w, NULL, (*e)->type);

			if (!c || (c->m && !c->waits) || c->type != (*e)->type || c->peer_name ||
			    !sendable(pending))
				return bad((*e)->m, "an unknown client waits for it");
			c->peer_name = (*e)->name;
			(*e)->client[i] = c;
		}
	}
	vec_foreach(e, &w->end)
		if ((*e)->waits && !(*e)->peer_name)
			return bad((*e)->m, "no server knows that it waits");
	return 0;
}

int unix_plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	struct unix_world *w = arena_new(&r->arena, struct unix_world);
	struct unix_end **end = arena_array(&r->arena, struct unix_end *, n);
	int e = 0;

	w->r = r;
	map_init(&w->by_inode, &r->arena);
	map_init(&w->by_name, &r->arena);
	for (size_t i = 0; i < n && !e; i++)
		e = add_end(w, member[i], &end[i]);
	for (size_t i = 0; i < n && !e; i++)
		e = link_end(w, end[i]);
	for (size_t i = 0; i < n && !e; i++)
		e = check_peer(end[i]);
	if (e)
		return e;
	divide(w, end, n);
	e = unix_addresses_plan(w);
	e = e ?: check_pending(w);
	e = e ?: find_pairs(w);
	return e ?: unix_addresses_check(w);
}
