#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "vma.pb-c.h"

/*
 * The model of an address space, the same for dump and restore. Everything is page aligned and lies
 * in ascending order.
 */
enum { PAGE_BYTES = 4096, VMA_KINDS = VMA__KIND__PACKET + 1 };
#define NO_OBJECT UINT32_MAX

struct range {
	uint64_t start, end;
};
struct vma {
	uint64_t start, end;
	uint64_t offset;    /* bytes in the object */
	uint32_t object;    /* NO_OBJECT: none */
	uint32_t flags;     /* VMA__FLAG__x */
	uint8_t kind;       /* VMA__KIND__x */
	uint8_t prot;
	uint8_t page_shift; /* of huge pages of the pool, else 0 */
	bool shared;
	const char *name;
	VEC(struct range) guard;
};

/* Pages in the store: `at` is a byte offset over all shards (shard << 40 | offset). */
struct run {
	uint64_t start, end;
	uint64_t at;
	uint32_t flags;     /* PAGEMAP__FLAG__x */
};
#define RUN_SHARD_BITS 40

struct mm {
	uint32_t id;
	VEC(struct vma) vma;
	VEC(struct run) run;
};

/* Whether its pages are saved and restored one by one (and not with the object behind it). */
static inline bool vma_has_pages(const struct vma *v)
{
	return !v->shared && v->kind != VMA__KIND__SPECIAL && !(v->flags & VMA__FLAG__DROPPABLE);
}
