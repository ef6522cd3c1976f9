#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/str.h"
#include "core/dump.h"
#include "core/prog.h"
#include "core/restore.h"
#include "core/task.h"
#include "file_ref.pb-c.h"
#include "kernel/proc-fdinfo.h"
#include "ofd.pb-c.h"

/*
 * Open file descriptions and descriptor tables. An open file description is numbered once over the
 * whole tree (id) and belongs to one kind; tables (files_struct, id = task.files) hold
 * (number, close-on-exec, description). Images: fd_table.img (one record per table), ofd.img (one
 * per description: kind, flags, position, owner), <kind>.img.
 */
/* What becomes of a file that cannot be saved (--fd-policy). */
enum fd_policy { FD_POLICY_FAIL, FD_POLICY_CLOSE, FD_POLICY_NULL };

struct fd_probe {		 /* dump: what is known about a description, from outside */
	const struct task *task; /* a task that holds it ... */
	int number;		 /* ... under this number */
	int fd;			 /* our copy (pidfd_getfd), never modified */
	struct stat st;
	uint32_t id;
	uint64_t flags, pos; /* f_flags without O_CLOEXEC */
	uint32_t mnt_id;
	struct fdinfo info;
	const char *link; /* text of /proc/PID/fd/N; fd_link() reads it when first needed */
	bool named;	  /* fd_link() has seen that the text leads to this file */
	const char *key;  /* set by dump(): what --inherit-fd and --external call it */
	enum fd_policy policy; /* set by fd_refuse() for what was given up */
};
const char *fd_link(struct dump *d, struct fd_probe *p);
/* f_type of the file system the file lies on. */
long fd_fs_type(struct dump *d, const struct fd_probe *p);
/* Whether its link is "anon_inode:" and this name. */
bool fd_is_anon(struct dump *d, struct fd_probe *p, const char *name);
/* Reads fdinfo again, after something was asked that changes it. */
int fd_info_again(struct dump *d, struct fd_probe *p);
/* "descriptor 7 (pipe:[123])", for messages. */
const char *fd_text(struct dump *d, struct fd_probe *p);
/* inode_describe() of what is open. */
int fd_describe(struct dump *d, struct fd_probe *p, FileRef **ret);
/* The operator's word about files with this text of a link. */
enum fd_policy fd_policy_of(const struct dump *d, const char *link);
/* refuse() for this descriptor, or nothing but its result if the operator gave it up. */
int fd_refuse(struct dump *d, struct fd_probe *p, const char *reason, const char *remedy);
/* The same for what comes and goes while a program works: the dump begins anew a few times. */
int fd_refuse_now(struct dump *d, struct fd_probe *p, const char *reason, const char *remedy);

/* A copy of a descriptor that stays open until the tree is dead: for `after`. */
struct fd_kept {
	uint32_t id;
	int fd;
	const struct fd_kind *kind;
	const void *msg;
};
/* Keeps one, for the kind whose dump() is running. */
int fd_keep(struct dump *d, const struct fd_probe *p, const struct fd_kind *k, const void *msg);

/* A description that has been met; for kinds that refer to others (`dump_last`). */
struct fd_seen {
	uint32_t id;
	const struct task *task; /* where it was met first ... */
	int number;		 /* ... under this number */
	uint64_t dev, ino;
	bool lockless;		 /* nobody has a lock on the file: only fdinfo would tell */
	const struct fd_kind *kind;
	const struct fd_seen *next; /* same device and inode */
};
/* Everything open on this inode: a list, by fd_seen.next. */
const struct fd_seen *files_seen(const struct dump *d, uint64_t dev, uint64_t ino);
/* What a task has under this number, NULL: nothing. Complete for kinds with `dump_last`. */
const struct fd_seen *files_at(const struct dump *d, const struct task *t, unsigned int number);
/* A number over the whole tree for this (device, inode) of a kind with identity of its own (pipes).
 */
uint32_t files_group(struct dump *d, const struct fd_probe *p, bool *ret_first);
/* A pipe of the dump's own that kinds may use; left empty by each. size 0: not made yet. */
struct scratch_pipe {
	int end[2];
	uint32_t size;
};
struct scratch_pipe *files_scratch(struct dump *d);
/*
 * A description that a message in the queue of one of this task's files holds; `fd` is a copy of
 * the tool's and goes to the engine. It is dumped like any other if no table holds it; its id in
 * *ret_id. For kinds that `meets`, in dump().
 */
int files_meet(struct dump *d, const struct task *of, int fd, uint32_t *ret_id);

struct fd_obj { /* restore: one description */
	uint32_t id;
	const struct fd_kind *kind;
	const void *msg; /* the kind's message */
	const Ofd *ofd;	 /* the generic part */
	bool shared;	 /* in several tables: opened by the coordinator */
	bool late;	 /* needs the tasks to exist (set in plan()) */
	pid_t in_blob;	 /* the process with a thread that must exist (set in plan()): `again` */
	pid_t in_thread; /* the thread that runs `again` in that process; 0: its leader */
	int fd;		 /* where it is open in this process during opening; -1 */
	VEC(struct fd_obj *)
	needs; /* opened before this one; open in this process in fill() and finish() */
	struct fd_obj *twin; /* created together with that one (a ring); set in plan_group() */
	void *own;	     /* what the kind keeps during the restore */
};

struct fd_kind {
	const char *name;
	const ProtobufCMessageDescriptor *descriptor;
	bool dump_last; /* dump() needs the numbers of other descriptions */
	bool alone;	/* restored without any other process, and without a short-lived one */
	bool meets;	/* with dump_last: before the others, as it finds more of them */
	bool (*match)(struct dump *d, struct fd_probe *p);
	/* 0, or refuse() with the reason. */
	int (*dump)(struct dump *d, struct fd_probe *p, void *msg);
	/* Before the freeze: refuse what outside can already tell (optional). */
	int (*look)(struct dump *d, struct fd_probe *p);
	/* Restore: no descriptor comes back (optional). */
	bool (*is_absent)(const void *msg);
	/* The checkpoint is complete and the tree dead: all that was kept by fd_keep() (optional).
	 */
	int (*after)(struct dump *d, const struct fd_kept *kept, size_t n);
	/* Once all descriptions were looked at (`look`) or dumped: collects blockers. */
	int (*end)(struct dump *d, bool look);
	int (*plan)(struct restore *r, struct fd_obj *o);
	/*
	 * Descriptions that belong together (ends of a pipe): the key of their group, and the hook
	 * that is called once for each group, after all plan(): it sets twin and needs.
	 */
	uint64_t (*group)(const void *msg);
	int (*plan_group)(struct restore *r, struct fd_obj **member, size_t n);
	/* Opens it; any number, close-on-exec. Those with a twin set twin->fd too. */
	int (*open)(struct opener *o, const struct fd_obj *obj);
	/* Content and links, once everything in `needs` is open. */
	int (*fill)(struct opener *o, const struct fd_obj *obj, int fd);
	/*
	 * In the first task that holds it, at its lowest number there, everything in `needs` open
	 * in this process (epoll items; controlling terminals...).
	 */
	int (*finish)(struct self *s, const struct fd_obj *obj, int fd);
	/*
	 * In the coordinator, for shared descriptions: hold() when every task is complete and
	 * ghosts still have names, settle() when they have none: the last that happens to files.
	 */
	int (*hold)(struct restore *r, const struct fd_obj *obj);
	int (*settle)(struct restore *r, const struct fd_obj *obj, int fd);
	/*
	 * For objects with `in_blob`: open() made anything, and this opens the real one, in the
	 * blob of each process that has a table with it, when all threads exist.
	 */
	struct prog_arg (*again)(struct prog *p, const struct fd_obj *obj);
	/* What has to wait for the blob: arming, POSIX locks. `number`: final number in at->task.
	 */
	int (*stage)(struct prog *p, const struct stage_at *at, const struct fd_obj *obj,
		     int number);
	/*
	 * In the coordinator, with a copy: the tree is whole and about to run, the network is open
	 * again. Too late to fail.
	 */
	void (*last)(const struct fd_obj *obj, int fd);
};
extern const struct fd_kind *const fd_kinds[]; /* kinds.c, NULL-terminated */

/* --- the engine, called by the conductors ---------------------------------------------------- */
/* Before the freeze, after victim_look(): outside only; collects blockers. */
int files_look(struct dump *d);
/*
 * The open numbers of a table, of a stopped task: those that the look before the stop saw if there
 * are as many now, so that they are all if none of them is closed.
 */
struct proc_list;
int files_numbers(struct dump *d, const struct task *t, const struct proc_list **ret);
/*
 * A first look at a descriptor of a stopped task: what stat(2) tells and, as long as not too many
 * are open, a copy that the dump of the descriptor takes over; fd -1: none. 0 or -errno,
 * unreported.
 */
struct fd_glance {
	struct stat st;
	uint32_t mnt_id;
	int fd;
};
int files_glance(struct dump *d, const struct task *t, int number, const struct fd_glance **ret);
/* Questions about the descriptors of this thread's table, for the program that it will run. */
int files_ask(struct dump *d, struct prog *p, const struct thread *t);
int files_dump(struct dump *d); /* everything stopped: numbers, dumps, writes the images */
int files_after(struct dump *d); /* the tree is dead */

int files_plan(struct restore *r);
/*
 * n consecutive descriptor numbers that no target of this task's table uses (lowest gap behind or
 * between them, inside the table size where possible); for descriptors the blob needs.
 */
int files_reserve(struct restore *r, const struct task *t, unsigned int n);
/* Coordinator, before the first fork: shared descriptions, in a range no table of the tree uses. */
int files_open_shared(struct restore *r);
/* Coordinator, before the first fork: gives its descriptor a number that no task needs. */
int files_move_away(struct restore *r, int *fd);
/* Coordinator: a descriptor of its own to a number where no description will be put. */
int files_set_aside(struct restore *r, int *fd);
/* Coordinator, all tasks exist (they wait): shared descriptions that need them. */
int files_open_late(struct restore *r);
/* No task has to wait with its descriptors until the others exist. */
bool files_need_nobody(const struct restore *r);
/* Whether a fork of `from`, when all is in its table, has the descriptors of the task. */
bool files_inherit(const struct restore *r, const struct task *t, const struct task *from);
/*
 * Between these a task may open descriptors of its own (at reserved numbers): others that share its
 * table wait. After files_end() it opens nothing until files_apply().
 */
int files_begin(struct self *s);
void files_end(struct self *s);
/* In the task: opens what is private, puts everything at its number, closes all else but the
 * reserved. */
int files_apply(struct self *s);
/* Coordinator: calls hold(), settle() of the kinds. */
int files_hold(struct restore *r);
int files_settle(struct restore *r);
/* Coordinator: closes its copies, before any task runs. */
void files_close_shared(struct restore *r);
/*
 * The coordinator's descriptors that a task inherited are closed at the start of files_apply(),
 * except for shared ones and the reserved numbers: kinds that read images while they open are
 * `shared`.
 */
/* Operations of descriptor kinds for the leader's program. */
int files_stage(struct prog *p, const struct stage_at *at);
/* All threads are stopped: takes copies of what has a `last` hook. */
int files_last_prepare(struct restore *r);
void files_last(struct restore *r);
/* For the program of another thread. */
void files_stage_thread(struct prog *p, const struct stage_at *at);
/* The task that opens it if nobody else does: the first one that holds it; NULL: none. */
const struct task *files_owner(struct restore *r, const struct fd_obj *o);
/* Its lowest number in the table of files_owner(). */
unsigned int files_number(const struct restore *r, const struct fd_obj *o);
/* Whether the task has a number for it. */
bool files_has(struct restore *r, const struct task *t, const struct fd_obj *o);
/* The object with this id, NULL: none. */
struct fd_obj *files_find(struct restore *r, uint32_t id);
/* All objects, by index; NULL: no more. */
struct fd_obj *files_nth(const struct restore *r, size_t n);
/*
 * In plan_group(): one more object, which no task holds. The coordinator opens it before the fork
 * and closes it when all tasks are complete; every task inherits it under files_parked().
 */
struct fd_obj *files_add(struct restore *r, const struct fd_kind *kind, const void *msg);
/* Where every task inherits a shared object, until files_apply(). */
int files_parked(const struct fd_obj *o);
/* Whether a descriptor of the caller takes its place (--inherit-fd). */
bool files_inherited(const struct fd_obj *o);
