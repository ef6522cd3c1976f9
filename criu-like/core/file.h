#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/str.h"
#include "core/dump.h"
#include "core/restore.h"
#include "core/task.h"

/*
 * Open file descriptions and descriptor tables. An open file description is numbered once over the
 * whole tree (id) and belongs to one kind; tables (files_struct, id = task.files) hold
 * (number, close-on-exec, description). Images: fd_table.img (one record per table), ofd.img (one per
 * description: kind, flags, position, owner), <kind>.img.
 */
struct fd_probe {                /* dump: what is known about a description, from outside */
	const struct task *task;     /* a task that holds it ... */
	int number;                  /* ... under this number */
	int fd;                      /* our copy (pidfd_getfd), never modified */
	struct stat st;
	uint32_t id;
	uint64_t flags, pos;         /* f_flags without O_CLOEXEC */
	uint32_t mnt_id;
	struct span info;            /* fdinfo text */
	const char *link;            /* text of /proc/PID/fd/N; fd_link() reads it when first needed */
};
const char *fd_link(struct dump *d, struct fd_probe *p);

struct fd_obj {                  /* restore: one description */
	uint32_t id;
	const struct fd_kind *kind;
	const void *msg;             /* the kind's message */
	const struct _Ofd *ofd;      /* the generic part (proto/ofd.proto) */
	bool shared;                 /* in several tables: opened by the coordinator */
	bool late;                   /* needs the tasks to exist (set in plan()) */
	int fd;                      /* where it is open in this process during opening; -1 */
	VEC(struct fd_obj *) needs;  /* must be open before fill() of this one */
	struct fd_obj *twin;         /* created together with that one (pipe ends, pairs); set in plan() */
};

struct fd_kind {
	const char *name;
	const ProtobufCMessageDescriptor *descriptor;
	bool (*match)(struct dump *d, struct fd_probe *p);
	/* 0, or refuse() with the reason. */
	int (*dump)(struct dump *d, struct fd_probe *p, void *msg);
	/* Before the freeze: refuse what outside can already tell (optional). */
	int (*look)(struct dump *d, struct fd_probe *p);
	int (*plan)(struct restore *r, struct fd_obj *o);
	/* Opens it; any number, close-on-exec. Objects with a twin may set twin->fd as well. */
	int (*open)(struct opener *o, const struct fd_obj *obj);
	/* Content and links, once everything in `needs` is open. */
	int (*fill)(struct opener *o, const struct fd_obj *obj, int fd);
	/* In the task, at its final number (owner signals, O_ASYNC...). */
	int (*finish)(struct self *s, const struct fd_obj *obj, int fd);
	/* What has to wait for the blob: arming, POSIX locks. `number`: final number in at->task. */
	int (*stage)(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number);
};
extern const struct fd_kind *const fd_kinds[]; /* kinds.c, NULL-terminated */

/* --- the engine, called by the conductors ---------------------------------------------------- */
int files_look(struct dump *d);  /* before the freeze: outside only; collects blockers */
int files_dump(struct dump *d);  /* everything stopped: numbers, dumps, writes the images */

int files_plan(struct restore *r);
/*
 * n consecutive descriptor numbers that no target of this task's table uses (lowest gap behind or
 * between them, inside the table size where possible); for descriptors the blob needs.
 */
int files_reserve(struct restore *r, const struct task *t, unsigned int n);
/* Coordinator, before the first fork: shared descriptions, in a range no table of the tree uses. */
int files_open_shared(struct restore *r);
/* Coordinator, all tasks exist (they wait): shared descriptions that need them. */
int files_open_late(struct restore *r);
/* In the task: opens what is private, puts everything at its number, closes all else but the reserved. */
int files_apply(struct self *s);
/* Coordinator: closes its copies, before any task runs. */
void files_close_shared(struct restore *r);
/* Operations of descriptor kinds for the leader's program. */
int files_stage(struct prog *p, const struct stage_at *at);
/* The object with this id, NULL: none. */
struct fd_obj *files_find(struct restore *r, uint32_t id);
