#pragma once
#include "base/err.h"
#include "base/map.h"
#include "core/file/file.h"
#include "fd_table.pb-c.h"

/* What the files of core/ that restore descriptors share. */
struct file_table;
struct planned { /* a description */
	struct fd_obj o;
	struct file_table *first; /* the first table that holds it; NULL: none */
	struct file_table *last;  /* and the last one */
	unsigned int number;	  /* its lowest number there */
	unsigned int n_table;
	unsigned int parked; /* where the coordinator has it, and every task inherits it (shared) */
	unsigned char mark;  /* of the sort: 0 not seen, 1 on the way, 2 in order */
	int inherited;	     /* the caller's descriptor that takes its place; -1 */
};
struct number_range {
	unsigned int first, n;
};
struct file_table {
	uint32_t id;
	const FdTable *msg;
	struct planned **entry; /* parallel to msg->entry */
	VEC(struct number_range) reserved;
	VEC(struct planned *) late;    /* arrive over the channel, in this order */
	struct table_meeting *meeting; /* file-table.c */
	unsigned int n_task;	       /* that fill it together */
	unsigned int n_user;	       /* that have it, those included */
	unsigned int channel[2];       /* parked numbers: the coordinator's end, the task's */
};
struct file_plan {
	struct map by_id;	     /* id + 0 -> struct planned */
	VEC(struct planned *) all;   /* by id */
	VEC(struct planned *) order; /* what is needed first */
	VEC(struct file_table *) table;
	struct file_table **table_of; /* by task index, which is the number of a table */
	size_t n_task;
	struct number_range parked; /* in no table of the tree */
	unsigned int highest;	    /* number that any table of the restore ever held */
	unsigned long limit;	    /* RLIMIT_NOFILE while restoring */
};

struct file_table *graph_table(const struct file_plan *p, uint32_t id);
/* Who opens what, and in which order. */
int graph_settle(struct restore *r);

/* Lowest gap of n numbers that are in none of the sorted numbers (may repeat). */
unsigned int numbers_gap(const unsigned int *sorted, size_t n_sorted, unsigned int n);

/* Before the first fork: memory in which processes that share a table meet. */
int table_prepare(struct restore *r);
/* All processes of the table are here: the first one goes on, the others wait until table_done().
 */
int table_meet(struct self *s, struct file_table *t);
void table_done(struct file_table *t);
/* Gives the table the size it had; nothing from first_unused on is open. */
int table_fit(struct self *s, struct file_table *t, unsigned int first_unused);

/* Opens an object with its twin, unless its twin did; o->fd is set. */
int object_open(struct opener *op, struct planned *p);
/* Content. */
int object_fill(struct opener *op, struct planned *p);
/* Moves p->o.fd to `number`, close-on-exec; a twin that is in the way steps aside. */
int object_place(struct planned *p, unsigned int number);
/* The object and its twins, at once: to their parked numbers or those in the first table. */
int object_place_all(struct planned *p, bool parked);

/* Sends and receives descriptors. */
int channel_send(int channel, const int *fd, size_t n);
int channel_receive(int channel, int *fd, size_t n);

static inline struct planned *planned_of(const struct fd_obj *o)
{
	return container_of(o, struct planned, o);
}
