#pragma once
#include "core/memory/memory-kind.h"
#include "core/memory/memory-pages.h"
#include "core/memory/memory-plan.h"
#include "core/memory/vma.h"

/* An object whose content is to be copied, by the name that opens it. Its number: the index. */
struct content {
	int dir_fd;
	const char *path;
};
/* Pages that are copied at the end, all at once. */
struct bulk_run {
	const struct task *task;
	uint64_t start, end;
	bool gentle;
};
struct ahead; /* core/memory/memory-ahead.h */
struct sysv_segment; /* core/memory/sysv-segment.h */
struct scan; /* core/memory/memory-scan.c */

/* The engine's state during a dump; private to core/memory/. */
struct memory {
	struct image *vma, *mm, *pagemap;
	struct image *object_image[VMA_KINDS]; /* by kind number; made when first needed */
	uint32_t n_object[VMA_KINDS];
	struct map object[VMA_KINDS];   /* (key, key) -> id + 1 */
	struct map link_mode;           /* memory_link_modes() */
	struct scan *scan;              /* buffers, made when first needed */
	struct page_store *store;
	struct page_writer writer;
	uint64_t seed;                  /* of digests that the helper makes; 0: none */
	VEC(struct mm *) space;
	VEC(const struct task *) owner; /* of space[i] */
	VEC(const struct ahead *) ahead; /* of space[i]: what the helper saw; NULL: nothing */
	VEC(struct content) pending;
	VEC(struct bulk_run) bulk;
	uint64_t bulk_bytes;
	VEC(struct sysv_segment *) sysv;
	uint64_t shm_dev;               /* of shared memory without a name; 0: not asked yet */
	struct own_vdso vdso;
	struct map exe;                 /* ahead.exe_key -> FileRef */
};

/* The state, made when first asked for. */
struct memory *memory_state(struct dump *d);
/* Mappings of one task from the text of its smaps. -ENOTSUP never: refusals are collected. */
int memory_parse(struct dump *d, const struct task *t, struct span text, struct mm *m);
/* One of them. */
struct smaps_vma;
int memory_add(struct dump *d, const struct task *t, const struct smaps_vma *s, struct mm *m);
/* Copies the queued objects, writes shmem_pages.img. */
int memory_dump_content(struct dump *d);
/* Queues a large run; yields the offset that stands for its place until it is copied. */
uint64_t memory_bulk_add(struct dump *d, const struct bulk_run *run);
/* After all spaces were looked through, before their runs are written. */
int memory_bulk_write(struct dump *d);
/* Pages of address space i: finds them, joins what relatives share, queues the rest. */
int memory_dump_pages(struct dump *d, size_t i);
