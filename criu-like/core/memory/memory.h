#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/dump.h"
#include "core/restore.h"

/*
 * Address spaces. Images: vma.img (one record per mapping, id = mm), mm.img (one per mm: limits of
 * code, data, heap, stack, arguments, auxv, exe; id = mm), pagemap.img (runs: mm, address, pages,
 * flags, shard, offset, checksum), shmem.img (shared anonymous objects), shmem_pages.img (their
 * runs, id = object), pages-<n>.img.
 */

/* --- dump ------------------------------------------------------------------------------------ */
int memory_look(struct dump *d); /* before the freeze: what the tool itself has */
/* Everything stopped, blob withdrawn or left out: the mappings of all tasks. Blockers: -ENOTSUP. */
int memory_map(struct dump *d);
/* Everything stopped: from now on a helper may look at them. */
void memory_read_ahead(struct dump *d);
/* Then: everything stopped, blob withdrawn or left out: maps, pages, images. */
int memory_dump(struct dump *d);

/* --- restore --------------------------------------------------------------------------------- */
/* Reads and checks the images; descriptors may refer to objects in them. */
int memory_read(struct restore *r);
/* After files_plan() and inode_plan(). Reports what is missing as blockers. */
int memory_plan(struct restore *r);
/*
 * Compares what checksums memory_plan() has left, because there is much under them: after the
 * forks, while the tasks read their pages, or instead of a restore. Until then pages may be
 * damaged, and a task that has them must not run.
 */
int memory_verify(struct restore *r);
/* The program break of a task; without it the end of its heap is taken. After memory_plan(). */
int memory_set_brk(struct restore *r, const struct task *t, uint64_t brk);
/* Flags of mlockall() for mappings to come; set by the last operations. */
int memory_set_lock_future(struct restore *r, const struct task *t, uint32_t flags);
/* Dump: the same flags, found on the mapping of the blob, which has to be there. */
int memory_lock_future(struct dump *d, const struct task *t, uint32_t *ret_flags);
/* A hole of `len` bytes in all address spaces, target and own: where the area will lie. */
int memory_find_hole(struct restore *r, uint64_t len, uint64_t *ret_base);
/*
 * Coordinator, before the first fork (memory_find_hole() was called): makes shared objects and
 * keeps their descriptors; the tasks inherit them. memory_close(): its copies, when all tasks
 * exist, also after a failure.
 */
int memory_create(struct restore *r);
void memory_close(struct restore *r);
/* Coordinator, when everything is mapped: seals that would have forbidden it. */
int memory_settle(struct restore *r);
/* In a task, before its children are forked: mappings whose pages relatives share (copy on write).
 */
int memory_premap(struct self *s);
/*
 * In a task, after its children were forked and before files_apply() (which closes what is not the
 * task's): opens the files of mappings at the reserved numbers.
 */
int memory_apply(struct self *s);
/*
 * The first operations of a leader's program: unregister rseq, park the vdso in the area, unmap all
 * but the area, PR_SET_MM_MAP, place the vdso, map.
 */
int memory_stage(struct prog *p, struct restore *r, const struct task *t);
/* Those that follow, for heirs the first ones: fill, protect, advise, close the numbers. */
int memory_stage_content(struct prog *p, struct restore *r, const struct task *t);
/*
 * Whether a fork of `from` after memory_stage() has all mappings of the task: then the task's
 * program needs memory_stage_content() only, and is made for that. When everything is planned.
 */
bool memory_inherit(struct restore *r, const struct task *t, const struct task *from);
/* Last operations concerning memory (seal, mlockall(MCL_FUTURE), personality), after all else. */
int memory_stage_last(struct prog *p, struct restore *r, const struct task *t);
/* Whether any task maps a ring of io_uring. */
bool memory_has_rings(const struct restore *r);
/*
 * Where a `syscall` instruction will be in this task (for the final munmap from outside): in its
 * vdso, or, if it has none, in the area itself, which is enough for a call that is followed by
 * ptrace.
 */
int memory_syscall_address(struct restore *r, const struct task *t, uint64_t *ret);
