#pragma once
#include <stdint.h>

#include "core/dump.h"
#include "core/restore.h"

/*
 * Address spaces. Images: vma.img (one record per mapping, id = mm), mm.img (one per mm: limits of
 * code, data, heap, stack, arguments, auxv, exe; id = mm), pagemap.img (runs: mm, address, pages, flags,
 * shard, offset, checksum), shmem.img (shared anonymous objects), pages-<n>.img.
 */

/* --- dump ------------------------------------------------------------------------------------ */
int memory_look(struct dump *d);   /* before the freeze: blockers; what is expensive (smaps) is read here */
int memory_dump(struct dump *d);   /* everything stopped, blob withdrawn or left out: maps, pages, images */

/* --- restore --------------------------------------------------------------------------------- */
int memory_plan(struct restore *r);
/* A hole of `len` bytes in all address spaces, target and own: where the area will lie. */
int memory_find_hole(struct restore *r, uint64_t len, uint64_t *ret_base);
/* In a task, before its children are forked: mappings whose pages relatives share (copy on write). */
int memory_premap(struct self *s);
/* In a task, after its children were forked: opens the files of mappings at the reserved numbers. */
int memory_apply(struct self *s);
/*
 * The first operations of a leader's program: unregister rseq, park the vdso in the area, unmap all
 * but the area, place the vdso, map, fill, protect, advise; PR_SET_MM_MAP; close the reserved numbers.
 */
int memory_stage(struct prog *p, struct restore *r, const struct task *t);
/* Last operations concerning memory (seal, mlockall(MCL_FUTURE), personality), after all else. */
int memory_stage_last(struct prog *p, struct restore *r, const struct task *t);
/* Where the vdso's `syscall` instruction will be in this task (for the final munmap from outside). */
int memory_syscall_address(struct restore *r, const struct task *t, uint64_t *ret);
