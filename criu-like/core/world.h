#pragma once
#include "core/kind.h"

/*
 * The engine of the world kinds: objects that belong to a namespace, not to a task. One image per
 * kind. They are made by the coordinator before the first fork, and what a failed restore made is
 * taken away again.
 */
struct world_object {                  /* restore */
	uint32_t id;
	const struct world_kind *kind;
	const void *msg;
	bool made;                     /* by this restore, so it may remove it */
	uint32_t entry;                /* of the journal + 1; 0: none */
	char *attached;                /* what the kind keeps mapped until settle; NULL */
	uint64_t attached_len;
};

/* Before the freeze: blockers. */
int world_look(struct dump *d);
/* Everything stopped, all mappings known (memory_map()): writes the images. */
int world_dump(struct dump *d);
/* For dump hooks: one more object. */
int world_append(struct dump *d, const struct world_kind *k, const ProtobufCMessage *m);

/* For create hooks, before a System V object is made: a killed run is cleaned up after. */
int world_announce(struct restore *r, struct world_object *o, const char *what, int id);

int world_plan(struct restore *r);
int world_create(struct restore *r);
/* Every task has what it needs. */
int world_settle(struct restore *r);
/* The restore failed: undoes what was made, last first; reported. */
void world_undo(struct restore *r);
/* The object of a kind for which `is` yields true; NULL: none. */
struct world_object *world_find(struct restore *r, const struct world_kind *k,
				bool (*is)(const void *msg, uint64_t key), uint64_t key);
