/*
 * The registry as arrays, made from the lists in kinds.h: the only place that knows all kinds. An
 * engine walks its array; adding a kind adds a word there and changes nothing here.
 */
#include "kinds.h"

#include <stddef.h>

#include "core/file/file.h"
#include "core/memory/memory-kind.h"

#define TASK_KIND_EXTERN(name) extern const struct task_kind kind_##name;
#define FD_KIND_EXTERN(name) extern const struct fd_kind kind_##name;
#define KIND_ENTRY(name) &kind_##name,

#define MEM_KIND_EXTERN(name) extern const struct mem_kind kind_##name;
#define WORLD_KIND_EXTERN(name) extern const struct world_kind kind_##name;

TASK_KINDS(TASK_KIND_EXTERN)
FD_KINDS(FD_KIND_EXTERN)
MEM_KINDS(MEM_KIND_EXTERN)
WORLD_KINDS(WORLD_KIND_EXTERN)

const struct task_kind *const task_kinds[] = { TASK_KINDS(KIND_ENTRY) NULL };
const struct fd_kind *const fd_kinds[] = { FD_KINDS(KIND_ENTRY) NULL };
const struct mem_kind *const mem_kinds[] = { MEM_KINDS(KIND_ENTRY) NULL };
const struct world_kind *const world_kinds[] = { WORLD_KINDS(KIND_ENTRY) NULL };
