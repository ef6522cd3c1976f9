/* The registry as arrays, made from the lists in kinds.h. */
#include "kinds.h"

#include <stddef.h>

#include "core/memory-kind.h"

#define TASK_KIND_EXTERN(name) extern const struct task_kind kind_##name;
#define KIND_ENTRY(name) &kind_##name,

TASK_KINDS(TASK_KIND_EXTERN)

const struct task_kind *const task_kinds[] = { TASK_KINDS(KIND_ENTRY) NULL };
const struct mem_kind *const mem_kinds[] = { MEM_KINDS(KIND_ENTRY) NULL };
