/*
 * The names of unix sockets, as a plan: each is bound once. Who held a name binds it again; a name
 * that only connections or messages still carry is bound by a socket that exists for a moment. Path
 * names are told apart by their files: after a name was used again, sockets of equal text have
 * different files, and those whose file is gone ("ghosts") never touch the file that is there now.
 * Abstract names exist once per network namespace.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "sock/unix.h"

struct unix_namesakes {
	VEC(struct unix_address *) address;
};
enum { STATE_LISTEN = 10 };

static uint64_t hash(const ProtobufCBinaryData *name)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < name->len; i++)
		h = (h ^ name->data[i]) * 0x100000001b3ULL;
	return h;
}

static struct unix_namesakes *namesakes(const struct unix_world *w, int32_t type,
					const ProtobufCBinaryData *name)
{
	return map_get(&w->by_name, (uint64_t)type, hash(name));
}

static struct unix_address *add(struct unix_world *w, int32_t type,
				const ProtobufCBinaryData *name, const UnixFile *file)
{
	struct arena *a = &w->r->arena;
	struct unix_address *n = arena_new(a, struct unix_address);
	struct unix_namesakes *all = namesakes(w, type, name);

	*n = (struct unix_address){
		.type = type, .name = *name, .file = file, .socket = -1, .path = -1
	};
	if (!all) {
		all = arena_new(a, struct unix_namesakes);
		map_put(&w->by_name, (uint64_t)type, hash(name), all);
	}
	*vec_push(a, &all->address) = n;
	*vec_push(a, &w->address) = n;
	return n;
}

static bool same_file(const UnixFile *a, const UnixFile *b)
{
	return a && b ? a->ino == b->ino && a->dev == b->dev : a == b;
}

static bool listens(const struct unix_address *a)
{
	return a->owner && a->owner->m && a->owner->m->listens;
}

struct unix_address *unix_address_find(const struct unix_world *w, int32_t type,
				       const ProtobufCBinaryData *name)
{
	struct unix_namesakes *all = namesakes(w, type, name);
	struct unix_address *found = NULL;

	vec_foreach(a, all ? &all->address : &(typeof(all->address)){ 0 }) {
		if (!unix_same_bytes(&(*a)->name, name))
			continue;
		if (!found || (!found->owner && (*a)->owner) || (!listens(found) && listens(*a)))
			found = *a;
	}
	return found;
}

/* --- names of sockets ----------------------------------------------------------------------------
 */

static bool is_bound(const struct unix_end *e)
{
	const struct unix_end *p = e->peer;

	if (e->m->holds_name || e->type == SOCK_DGRAM || e->m->listens || !e->peer)
		return true;
	/* Of two ends that nobody is known to have bound the older one was the client. */
	return p && p->m && p->m->has_name && !p->m->holds_name && e->m->inode < p->m->inode;
}

static int bind_owner(struct unix_world *w, struct unix_end *e)
{
	struct unix_address *a = unix_address_find(w, e->type, &e->m->name);

	if (a && a->owner && !unix_is_path(&e->m->name))
		return fail(-EPROTO, "image 'unix': socket %" PRIu64 ": its name has two holders",
			    e->m->inode);
	e->name = add(w, e->type, &e->m->name, e->m->file);
	e->name->owner = e;
	return 0;
}

/* The listener's name, or one that is bound to be listened on for a moment. */
static int bind_accepted(struct unix_world *w, struct unix_end *e)
{
	struct unix_namesakes *all = namesakes(w, e->type, &e->m->name);
	bool path = unix_is_path(&e->m->name), held = false;

	e->accepted = true;
	vec_foreach(a, all ? &all->address : &(typeof(all->address)){ 0 }) {
		bool same = unix_same_bytes(&(*a)->name, &e->m->name) &&
			    (!path || same_file((*a)->file, e->m->file));

		held |= same;
		if (same && (!(*a)->owner || listens(*a))) {
			e->name = *a;
			return 0;
		}
	}
	if (held && !path)
		return refuse(&w->r->blockers, 0, e->obj->ofd->key ? e->obj->ofd->key : "socket",
			      "it was accepted under an abstract name that another socket holds",
			      NULL);
	e->name = add(w, e->type, &e->m->name, held ? NULL : e->m->file);
	return 0;
}

/* --- names of those who are gone -----------------------------------------------------------------
 */

/* A name for a peer that is gone, unless somebody else needs it. */
static void name_passing(struct unix_world *w, struct unix_end *p, const ProtobufCBinaryData *name)
{
	const struct unix_address *a = unix_address_find(w, p->type, name);

	if (a && !unix_is_path(name)) {
		log_warn(
			"a peer that is gone had an abstract name that is in use: it is forgotten");
		return;
	}
	p->name = add(w, p->type, name, NULL);
	p->name->owner = p;
}

static void name_listener(struct unix_world *w, struct unix_end *p,
			  const ProtobufCBinaryData *name)
{
	struct unix_address *a = unix_address_find(w, p->type, name);

	if (a && a->owner && !listens(a)) {
		if (!unix_is_path(name)) {
			log_warn("a server that is gone had an abstract name that is in use: it is "
				 "forgotten");
			return;
		}
		a = NULL;
	}
	p->name = a ? a : add(w, p->type, name, NULL);
	p->accepted = true;
}

static void name_peer(struct unix_world *w, struct unix_end *e)
{
	struct unix_end *p = e->peer;

	if (p && !p->m && e->m->has_peer_name) {
		if (e->accepted || e->type == SOCK_DGRAM)
			name_passing(w, p, &e->m->peer_name);
		else
			name_listener(w, p, &e->m->peer_name);
	}
	if (!p)
		return;
	if (p->accepted)
		e->peer_name = p->name;
	else if (e->type == SOCK_DGRAM)
		e->peer_name = p->name;
	if (!p->m && e->accepted)
		p->peer_name = e->name;
}

static void name_senders(struct unix_world *w, struct unix_end *e)
{
	for (size_t i = 0; i < e->m->n_queue; i++) {
		const UnixMessage *s = e->m->queue[i];

		if (s->has_sender && s->sender.len && s->sender.len <= UNIX_NAME_BYTES &&
		    !unix_address_find(w, e->type, &s->sender))
			add(w, e->type, &s->sender, NULL)->needed = true;
	}
	if (e->m->n_queue && e->type == SOCK_DGRAM && e->name)
		e->name->needed = true;
}

int unix_addresses_plan(struct unix_world *w)
{
	int r;

	for (int bound = 1; bound >= 0; bound--)
		vec_foreach(e, &w->end) {
			if (!(*e)->m->has_name || is_bound(*e) != bound)
				continue;
			r = bound ? bind_owner(w, *e) : bind_accepted(w, *e);
			if (r && r != -ENOTSUP)
				return r;
		}
	vec_foreach(e, &w->end)
		name_peer(w, *e);
	vec_foreach(e, &w->end)
		name_senders(w, *e);
	vec_foreach(e, &w->end) {
		if ((*e)->peer_name)
			(*e)->peer_name->needed = true;
		if ((*e)->accepted && (*e)->name)
			(*e)->name->needed = true;
		if ((*e)->m->n_pending && (*e)->name)
			(*e)->name->needed = true;
	}
	return 0;
}

/* --- what is there now ---------------------------------------------------------------------------
 */

static bool is_live(const struct unix_sockets *s, const struct stat *st)
{
	vec_foreach(u, &s->all)
		if (u->file_ino == (uint32_t)st->st_ino && u->file_dev == st->st_dev &&
		    (u->state == STATE_LISTEN || u->type == SOCK_DGRAM))
			return true;
	return false;
}

static int check_file(struct unix_world *w, const struct unix_sockets *s, const UnixFile *f)
{
	const char *base = strrchr(f->path, '/');
	const char *dir = arena_strndup(&w->r->arena, f->path, (size_t)(base - f->path));
	const char *object = arena_printf(&w->r->arena, "socket '%s'", f->path);
	struct stat st;

	if (!base[1])
		return fail(-EPROTO, "image 'unix': '%s' is no name of a socket", f->path);
	if (sys_stat(AT_FDCWD, *dir ? dir : "/", 0, &st, NULL) || !S_ISDIR(st.st_mode))
		return refuse(&w->r->blockers, 0, object, "its directory is gone",
			      arena_printf(&w->r->arena, "mkdir -p '%s'", dir));
	if (sys_stat(AT_FDCWD, f->path, AT_SYMLINK_NOFOLLOW, &st, NULL))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return refuse(&w->r->blockers, 0, object,
			      "the name leads to a file of another type", "move that file away");
	return !is_live(s, &st) ? 0
				: refuse(&w->r->blockers, 0, object,
					 "another process serves under this name",
					 "stop that process");
}

static int check_abstract(struct unix_world *w, const struct unix_sockets *s,
			  const struct unix_address *a)
{
	const struct span name = { (const char *)a->name.data, a->name.len };
	const struct unix_sharing *same = unix_sockets_named(s, (uint32_t)a->type, name);

	vec_foreach(u, same ? &same->socket : &(typeof(same->socket)){ 0 })
		if ((*u)->name.len == name.len && !memcmp((*u)->name.p, name.p, name.len) &&
		    ((*u)->state == STATE_LISTEN || !(*u)->has_peer))
			return refuse(&w->r->blockers, 0,
				      arena_printf(&w->r->arena, "socket '@%.*s'",
						   (int)name.len - 1, name.p + 1),
				      "another process has this abstract name", "end that process");
	return 0;
}

int unix_addresses_check(struct unix_world *w)
{
	struct unix_sockets s = { 0 };
	int r = w->address.n ? unix_sockets_read(&w->r->arena, &s) : 0;

	if (r || !w->address.n)
		return r ? fail(r, "ask for the unix sockets (sock_diag)") : 0;
	vec_foreach(i, &w->address) {
		const struct unix_address *a = *i;

		if (!unix_is_path(&a->name))
			r = check_abstract(w, &s, a);
		else
			r = a->file && !a->file->deleted ? check_file(w, &s, a->file) : 0;
		if (r && r != -ENOTSUP)
			return r;
	}
	return 0;
}
