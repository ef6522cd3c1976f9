#pragma once
#include "base/map.h"
#include "core/memory/memory-kind.h"
#include "core/memory/vma.h"
#include "mm.pb-c.h"

/* The engine's plan of a restore; private to core/memory/. */

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

/*
 * Pages that a family shares are loaded into a segment before the fork by the nearest common
 * ancestor of those that have them. It spans the mappings of all members around the pages. It lies
 * at its final address unless the tool itself is there.
 */
struct segment {
	uint64_t start, end;       /* where it belongs */
	const struct segment *base; /* itself, or what it is a part of */
	uint64_t at;               /* of the base: where it is mapped, == start unless displaced */
	bool displaced;
	const struct vma *like;    /* a member's mapping: kind, object, flags */
	uint64_t last;             /* while planning: where its last pages end */
};
static inline uint64_t segment_at(const struct segment *g, uint64_t address)
{
	return g->base->at + (address - g->base->start);
}
/* Part of a member's mapping that comes from a segment. */
struct piece {
	uint64_t start, end, at;
};
/* Shared pages with the mapping they were found in, and how far the family's mappings reach. */
struct shared_run {
	struct run run;
	const struct vma *v;
	uint64_t low, high;
	bool own;                  /* its first owner is the space that is looked at */
};

typedef VEC(struct run) run_list;
typedef VEC(struct segment *) segment_list;

struct space {                     /* one mm */
	struct mm mm;
	const struct task *task;
	const Mm *msg;
	uint64_t brk;              /* 0: not known */
	uint32_t lock_future;      /* flags of mlockall() for mappings to come */
	VEC(const struct mem_object *) source; /* source i is open at number first_fd + i */
	int first_fd, n_fd;        /* sources, then shards, then the executable */
	/* The family: */
	struct space *from;        /* whose memory it inherits by fork; NULL: nobody's */
	bool heir;                 /* with all mappings */
	VEC(struct shared_run) gather, twice;
	segment_list made; /* mapped by it before its children are forked */
	run_list load;             /* read by it into segments then */
	segment_list segment; /* all that its memory has then, inherited ones too */
	run_list state;            /* pages in them */
	/* Its program: */
	VEC(struct piece) piece;   /* what is there already, ascending */
	run_list fill;             /* what is read by the blob */
	VEC(struct range) drop;    /* inherited pages that the task does not have */
};

struct checksum {
	uint64_t hash, offset, bytes;
	uint32_t shard, mm;
};

struct mem_plan {
	struct space **space;      /* by task index; NULL: no own mm */
	size_t n_space;
	VEC(struct mem_object) object[VMA_KINDS]; /* by kind, index is the id */
	VEC(int) shard;            /* coordinator's descriptors */
	VEC(uint64_t) shard_size;
	VEC(uint64_t) shard_known; /* how far there are checksums: extents are gapless */
	VEC(struct checksum) checksum; /* not compared yet */
	uint64_t unverified;       /* bytes under them */
	VEC(struct mm) content;    /* runs of shared objects */
	uint64_t huge[64];         /* bytes of huge pages that are taken, by log2 of their size */
	struct own_vdso vdso;
	const FileRef *exe;        /* the one that was found good last */
	uint64_t park_base, hole_len; /* hole_len: of the area, at most */
	struct range displaced;    /* where segments are that cannot be at their place */
	VEC(struct space *) order; /* makers first */
};

int own_vdso_find(struct arena *a, struct own_vdso *ret);
/* The hash of the vdso of another task, comparable with that of one's own. */
int vdso_hash(struct arena *a, const struct own_vdso *own, int mem_fd, const struct vma *v,
	      uint64_t *ret);

/* Objects that are mapped whole by a call of their own (mem_kind.attach). */
struct attachment {
	const struct mem_object *object;
	uint64_t base, end;
	int prot;
};
/* Whether mmap(2) is not what maps it. */
bool vma_is_made(const struct mem_plan *p, const struct vma *v);
bool vma_is_attached(const struct mem_plan *p, const struct vma *v);
struct attachment attachment_of(const struct mem_plan *p, const struct vma *v);
int memory_plan_attached(struct restore *r, const struct space *s);
void memory_stage_attached(struct prog *p, const struct mem_plan *m, const struct space *s);

int memory_plan_huge(struct restore *r);
int vma_map_flags(const struct vma *v); /* of mmap(2), without the placement */
/* Maps the rings. */
void memory_stage_rings(struct prog *p, struct restore *r, const struct space *s);
int memory_stage_fill(struct prog *p, struct restore *r, const struct space *s);
void memory_stage_advice(struct prog *p, const struct space *s);
int memory_plan_family(struct restore *r);   /* what is loaded before the forks, by whom */
int memory_plan_segments(struct restore *r, struct space *s, const struct shared_run *load,
			 size_t n);
void memory_plan_rest(struct restore *r, struct space *s); /* what is left to the program */
int memory_reserve_segments(struct restore *r);
int memory_find_room(struct restore *r, uint64_t len, uint64_t *ret_base);
bool segment_fits(const struct segment *g, const struct vma *v);
int memory_read_images(struct restore *r); /* parses and checks everything but checksums */
int source_fd(const struct mem_plan *p, const struct space *s, const struct vma *v);
static inline int shard_fd(const struct space *s, uint64_t at)
{
	return s->first_fd + (int)s->source.n + (int)(at >> RUN_SHARD_BITS);
}
static inline int exe_fd(const struct space *s)
{
	return s->msg->exe ? s->first_fd + s->n_fd - 1 : -1;
}
