#pragma once
#include "base/map.h"
#include "core/memory-kind.h"
#include "core/vma.h"
#include "mm.pb-c.h"

/* The engine's plan of a restore; private to core/memory-*.c. */

/* The tool's own special mappings, which become the task's. */
struct special {
	const char *name;
	uint64_t start, end, park; /* park: where it waits, as an offset behind park_base */
};
struct own_vdso {
	VEC(struct special) part;
	uint64_t hash, len;        /* of the vdso's bytes; bytes of all parts */
	uint64_t syscall_offset;   /* of a `syscall` instruction in [vdso]; UINT64_MAX: none */
};

/* A piece of memory that is there before the blob runs: made before the fork, at its final address. */
struct piece {
	uint64_t start, end;
	uint8_t prot;              /* as it is when the blob starts */
};

struct space {                     /* one mm */
	struct mm mm;
	const struct task *task;
	const Mm *msg;
	uint64_t brk;              /* 0: not known */
	VEC(const struct mem_object *) source; /* source i is open at number first_fd + i */
	int first_fd, n_fd;        /* sources, then shards, then the executable */
	VEC(struct run) fill;      /* what is read by the blob */
	VEC(struct range) drop;    /* inherited pages that the task does not have */
	VEC(struct piece) piece;   /* what is there already, ascending */
};

struct mem_plan {
	struct space **space;      /* by task index; NULL: no own mm */
	size_t n_space;
	VEC(struct mem_object) object[8]; /* by kind, index is the id */
	VEC(int) shard;            /* coordinator's descriptors */
	VEC(uint64_t) shard_size;
	VEC(struct mm) content;    /* runs of shared objects */
	struct own_vdso vdso;
	uint64_t park_base;
};

int own_vdso_find(struct arena *a, struct own_vdso *ret);
/* The hash of the vdso of another task, comparable with that of one's own. */
int vdso_hash(struct arena *a, const struct own_vdso *own, int mem_fd, const struct vma *v, uint64_t *ret);

void memory_stage_advice(struct prog *p, const struct space *s);
int memory_read_images(struct restore *r);   /* parses and checks everything */
int source_fd(const struct mem_plan *p, const struct space *s, const struct vma *v);
static inline int shard_fd(const struct space *s, uint64_t at)
{
	return s->first_fd + (int)s->source.n + (int)(at >> RUN_SHARD_BITS);
}
static inline int exe_fd(const struct space *s)
{
	return s->msg->exe ? s->first_fd + s->n_fd - 1 : -1;
}
