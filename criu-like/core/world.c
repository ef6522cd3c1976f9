/*
 * World kinds: System V objects and their like, which stay when their users go. Who walks over
 * them: the dump once everything is stopped, the restore before the first fork and once more when
 * all tasks hold what they held. Objects are put back in the order of the registry and of their
 * images; a failed restore removes what it made in the opposite order.
 */
#include "core/world.h"

#include <errno.h>
#include <inttypes.h>

#include "base/err.h"
#include "core/file/inode.h"
#include "core/journal.h"

struct world {
	struct image *image[16];       /* dump, by the place of the kind */
	uint32_t n[16];
	VEC(struct world_object) all;  /* restore */
};

static size_t place_of(const struct world_kind *k)
{
	size_t i = 0;

	while (world_kinds[i] && world_kinds[i] != k)
		i++;
	bug_on(i >= 16, "more kinds than there is room for");
	return i;
}

int world_look(struct dump *d)
{
	int r = 0;

	for (size_t i = 0; world_kinds[i]; i++) {
		int e = world_kinds[i]->look ? world_kinds[i]->look(d) : 0;

		if (e && e != -ENOTSUP)
			return e;
		r = r ?: e;
	}
	return r;
}

int world_append(struct dump *d, const struct world_kind *k, const ProtobufCMessage *m)
{
	size_t i = place_of(k);
	int r = d->world->image[i] ? 0 : image_create(d->set, k->name, &d->world->image[i]);

	return r ?: image_append(d->world->image[i], d->world->n[i]++, m);
}

int world_dump(struct dump *d)
{
	int r = 0;

	d->world = arena_new(&d->arena, struct world);
	for (size_t i = 0; world_kinds[i]; i++) {
		int e = world_kinds[i]->dump(d);

		if (e && e != -ENOTSUP)
			return e;
		r = r ?: e;
		e = d->world->image[i] ? image_finish(d->world->image[i]) : 0;
		if (e)
			return e;
	}
	return r;
}

struct world_reader {
	struct restore *r;
	const struct world_kind *kind;
	uint32_t n;
};

static int read_object(void *c, uint32_t id, const ProtobufCMessage *m)
{
	struct world_reader *w = c;

	if (id != w->n++)
		return fail(-EPROTO, "image '%s': number %" PRIu32 " is out of order",
			    w->kind->name, id);
	*vec_push(&w->r->arena, &w->r->world->all) =
		(struct world_object){ .id = id, .kind = w->kind, .msg = m };
	return 0;
}

int world_plan(struct restore *r)
{
	int e = 0;

	r->world = arena_new(&r->arena, struct world);
	for (size_t i = 0; !e && world_kinds[i]; i++)
		e = image_each(r->set, world_kinds[i]->name, world_kinds[i]->descriptor,
			       read_object, &(struct world_reader){ r, world_kinds[i], 0 });
	vec_foreach(o, &r->world->all) {
		if (e && e != -ENOTSUP)
			return e;
		e = o->kind->plan ? o->kind->plan(r, o) : 0;
	}
	return e && e != -ENOTSUP ? e : r->blockers.list.n ? -ENOTSUP : 0;
}

int world_announce(struct restore *r, struct world_object *o, const char *what, int id)
{
	int e = journal_add_ipc(restore_journal(r), what, id, &o->entry);

	o->entry += !e;
	return e;
}

static int done(struct restore *r, struct world_object *o)
{
	int e = o->entry ? journal_done(restore_journal(r), o->entry - 1) : 0;

	o->entry = 0;
	return e;
}

int world_create(struct restore *r)
{
	int e = 0;

	vec_foreach(o, &r->world->all)
		e = e ?: o->kind->create(r, o);
	return e;
}

int world_settle(struct restore *r)
{
	int e = 0;

	vec_foreach(o, &r->world->all) {
		if (o->kind->settle)
			e = e ?: o->kind->settle(r, o);
		e = e ?: done(r, o);
	}
	return e;
}

void world_undo(struct restore *r)
{
	for (size_t i = r->world ? r->world->all.n : 0; i-- > 0;) {
		struct world_object *o = &r->world->all.v[i];

		if (!o->made || !o->kind->undo || !o->kind->undo(r, o))
			(void)done(r, o); /* reported, and what is left stays in the journal */
	}
}

struct world_object *world_find(struct restore *r, const struct world_kind *k,
				bool (*is)(const void *msg, uint64_t key), uint64_t key)
{
	vec_foreach(o, &r->world->all)
		if (o->kind == k && is(o->msg, key))
			return o;
	return NULL;
}
