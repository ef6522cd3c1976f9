#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/dump.h"
#include "core/restore.h"
#include "core/memory/vma.h"
#include "kernel/proc-maps.h"

/*
 * Kinds of mappings by what is behind them. A kind with objects (files, shared memory) has an image
 * of its own for them; mappings of all tasks refer to it by the object's id.
 */
struct vma_probe {
	const struct task *task;
	const struct smaps_vma *text;
};
struct mem_object {              /* restore */
	uint32_t id;
	const struct mem_kind *kind;
	const void *msg;
	int fd;                  /* the coordinator's, for objects made by it; -1 */
	bool planned;            /* its kind found nothing against it */
	bool taken;              /* a descriptor of the tree is the description behind fd */
};
struct mem_kind {
	const char *name;        /* of the objects' image, too */
	uint8_t number;          /* VMA__KIND__x */
	const ProtobufCMessageDescriptor *descriptor; /* NULL: no objects */
	bool (*match)(struct dump *d, const struct vma_probe *p);
	/* Fills in the object and what is particular; everything else is set. 0 or refuse(). */
	int (*dump)(struct dump *d, const struct vma_probe *p, struct vma *v);
	/* Once; t is the first task that maps the object, or NULL if the coordinator makes it.
	 * After a refusal the next task that maps it is asked about, too. */
	int (*plan)(struct restore *r, const struct task *t, const struct mem_object *o);
	/* Coordinator, before the first fork: makes the object, yields a descriptor. */
	int (*create)(struct restore *r, const struct mem_object *o);
	/*
	 * Kinds that are mapped by a call of their own, in the blob, before all else: appends the
	 * call that maps the whole object at `base`. `bytes`: how much that is, `prot`: with
	 * which access.
	 */
	void (*attach)(struct prog *p, const struct mem_object *o, uint64_t base);
	uint64_t (*bytes)(const struct mem_object *o, int *ret_prot);
	/*
	 * Kinds whose single mapping the kernel makes by another call: appends what makes it, when
	 * all ordinary mappings are there. `fd`: what open() yielded, under its reserved number.
	 */
	void (*make)(struct prog *p, const struct mem_object *o, const struct vma *v, int fd);
	/* In the task: yields a descriptor that can be mapped. */
	int (*open)(struct restore *r, const struct mem_object *o);
};
extern const struct mem_kind *const mem_kinds[]; /* kinds.c, NULL-terminated, in match order */

const struct mem_kind *mem_kind_find(uint8_t number);
/* "mapping 7f00-7f01 (/dev/x)", for refusals. */
const char *vma_title(struct arena *a, const struct smaps_vma *s);
/* Restore: so many bytes of huge pages of this size will be taken from the pool. */
void memory_need_huge(struct restore *r, uint32_t page_shift, uint64_t bytes);
/* Opens map_files/<range> of the probed mapping; yields a descriptor or -errno. */
int vma_open_file(const struct vma_probe *p, int flags);

/*
 * Dump: the id of the object with this key; *ret_new tells that it was made just now, and then the
 * kind has to append it to its image (memory_append_object).
 */
uint32_t memory_object_id(struct dump *d, const struct mem_kind *k, uint64_t key_a, uint64_t key_b,
			  bool *ret_new);
int memory_append_object(struct dump *d, const struct mem_kind *k, uint32_t id,
			 const ProtobufCMessage *m);
/* What mapped_file.c knows about open modes, for the whole dump. */
struct map *memory_link_modes(struct dump *d);
/*
 * The object that opens by this name is copied later (its data parts), under the number that is
 * yielded, in shmem_pages.img. The name stays good while the tree is stopped.
 */
uint32_t memory_queue_content(struct dump *d, int dir_fd, const char *path);
/* Restore: the content fits an object of this size. */
int memory_check_content(struct restore *r, uint32_t id, uint64_t size);
/* Restore: the object's content into memory that maps all of it. */
int memory_load_content(struct restore *r, uint32_t id, char *memory, uint64_t size);
