#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/dump.h"
#include "core/prog.h"
#include "core/restore.h"

/*
 * One constant structure per kind of kernel object. Hooks are optional except name, descriptor, one
 * dump and one restore hook. The image of a kind is <name>.img; a record's id is the index of the
 * task (SCOPE_TASK), of the thread (SCOPE_THREAD) or of the open file description (fd kinds).
 *
 * Messages on dump: the engine hands out an initialised message of the kind's type; what it points
 * to must come from the arena. A hook that yields 1 (KIND_NOTHING) writes no record.
 */
enum { KIND_NOTHING = 1 };
enum kind_scope { SCOPE_TASK, SCOPE_THREAD };
/*
 * Of which kernel object a SCOPE_TASK kind speaks. A shared one is asked, applied and staged only
 * for the task that has it first (its index is the object's id).
 */
enum session_step { SESSION_FOUNDED, SESSION_GROUPED };
enum kind_object { OBJECT_PROCESS, OBJECT_SIGHAND, OBJECT_MM, OBJECT_FS };

struct task_kind {
	const char *name;
	const ProtobufCMessageDescriptor *descriptor;
	enum kind_scope scope;
	enum kind_object object;
	/* Not everybody needs a record; otherwise a checkpoint without one is refused. */
	bool optional;
	/* plan() and stage() look at nothing but the message (and the stage): what they do for
	 * equal neighbours is done once. */
	bool alike;
	/* SCOPE_THREAD: /proc still shows it of a leader that ended before its threads. Such a
	 * leader is not asked; its record is made from the answers of the thread that speaks for
	 * the process. */
	bool outlives;
	/* Answers of the questions asked inside: so many bytes, zeroed, given to ask and dump. */
	size_t answer_bytes;
	/* Appends the questions: system calls inside the stopped thread, answers by prog_out(). */
	int (*ask)(struct dump *d, struct prog *p, const struct thread *t, void *answers);
	/* From the outside and from the answers. The thread is stopped. */
	int (*dump)(struct dump *d, const struct thread *t, const void *answers, void *msg);
	/* Before the first fork: refuse what cannot work here. SCOPE_TASK: t is task_main(). */
	int (*plan)(struct restore *r, const struct thread *t, const void *msg);
	/*
	 * In the forked process, with msg NULL if it has no record (SCOPE_TASK only); shared
	 * descriptions are open. FOUNDED: a session leader, before those are born that live in its
	 * session. GROUPED: everybody, before descriptors; for a leader all groups are complete.
	 */
	int (*session)(struct self *s, const void *msg, enum session_step step);
	/* In the forked task, after its children were forked, before the blob (SCOPE_TASK only). */
	int (*apply)(struct self *s, const void *msg);
	/* Appends what the blob is to run at this stage. SCOPE_TASK: in the leader's program. */
	int (*stage)(struct prog *p, const struct stage_at *at, const void *msg);
	/* Whether STAGE_ARM starts what counts time, and has to wait for everybody (optional). */
	bool (*counts)(const void *msg);
	/* In the coordinator: registers are set, the thread is stopped and about to be let go. */
	int (*last)(struct restore *r, const struct thread *t, const void *msg);
};

/*
 * Objects that belong to no task but to a namespace, and outlive their users (core/world.h). An
 * object counts as the tree's if a task of the tree holds or made it.
 */
struct world_object;
struct world_kind {
	const char *name;
	const ProtobufCMessageDescriptor *descriptor;
	/* Before the freeze: refuse what can be seen then (optional). */
	int (*look)(struct dump *d);
	/* Everything stopped: finds the tree's objects, world_append() for each. */
	int (*dump)(struct dump *d);
	/* For each object, before anything is made (optional): refuse what cannot be. */
	int (*plan)(struct restore *r, struct world_object *o);
	/* The coordinator, before the first fork. Sets o->made if undo is to remove it. */
	int (*create)(struct restore *r, struct world_object *o);
	/* All tasks have what they need (optional). */
	int (*settle)(struct restore *r, struct world_object *o);
	/* The restore failed: takes away what create made. */
	int (*undo)(struct restore *r, struct world_object *o);
};

/* The registry (kinds.c): NULL-terminated, in order. */
extern const struct task_kind *const task_kinds[];
extern const struct world_kind *const world_kinds[];
