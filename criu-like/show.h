#pragma once
#include <stdio.h>

#include "creds.pb-c.h"
#include "fd_table.pb-c.h"
#include "head.pb-c.h"
#include "images/image.h"
#include "mm.pb-c.h"
#include "ofd.pb-c.h"
#include "pagemap.pb-c.h"
#include "options.h"
#include "task.pb-c.h"

/* A checkpoint as `torpor show` sees it: images by their stems, and a tree for people. */

/* The message type of an image's records; NULL: no such image is known. */
const ProtobufCMessageDescriptor *show_descriptor(const char *stem);

/* Messages by id; several records of one id: the later ones follow in `next`. */
struct show_record {
	const ProtobufCMessage *m;
	struct show_record *next;
};
struct show_table {
	struct show_record **v; /* by id, NULL: none */
	size_t n;
	size_t records;
};

enum { SHOW_KINDS = 21 };
struct show {
	struct arena *arena;
	struct image_set *set;
	int dirfd;
	const Head *head;
	struct show_table task, creds, mm, pagemap, fd_table, ofd;
	struct show_table kind[SHOW_KINDS]; /* messages of descriptors: show-descriptor.c */
	VEC(const char *) world;	    /* a line for each thing that is no task's */
};

/* Reads what the tree view needs. 0 or -errno (reported). */
int show_read(struct show *s);
/* Parts of it: records of one image, none if there is no such image; the rest of struct show. */
int show_read_image(struct show *s, const char *stem, struct show_table *ret);
int show_read_kinds(struct show *s);
int show_read_world(struct show *s);
/* The message in a file beside the set; -ENOENT: none of this checkpoint. */
int show_late(struct show *s, const char *stem, const ProtobufCMessage **ret);
const ProtobufCMessage *show_get(const struct show_table *t, uint32_t id);
uint32_t show_pid(const Task *t);
/* What an open file description is and which state it is in. */
const char *show_descriptor_text(const struct show *s, const Ofd *o, uint32_t id);
/* Of its first thread that has any; NULL: a zombie. */
const Creds *show_creds(const struct show *s, const Task *t);
/* The task at which the descriptor table of t is shown; NULL: t has none. */
const Task *show_first_with_table(const struct show *s, const Task *t);
/* All tasks, each followed by what is below it. */
struct show_place {
	const Task *task;
	uint32_t index;
	unsigned int depth;
};
typedef VEC(struct show_place) show_order;
void show_sort(const struct show *s, show_order *ret);
/* Pages that belong to an address space. */
uint64_t show_pages(const struct show *s, const Task *t);
/* Arguments of a task from its saved memory: NUL-separated bytes; -ENOENT when they were not saved.
 */
int show_arguments(const struct show *s, const Task *t, struct span *ret);
/* Files of the checkpoint with their sizes, in the order of their names. */
struct show_file {
	const char *name;
	uint64_t bytes;
};
typedef VEC(struct show_file) show_files;
uint64_t show_total(const show_files *files, bool pages_only);
int show_list_files(const struct show *s, show_files *ret);

int show_print_tree(const struct show *s, FILE *out);
int show_print_tree_json(const struct show *s, FILE *out);
