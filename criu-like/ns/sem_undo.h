#pragma once
#include <stdbool.h>

#include "core/kind.h"

/* What connects the sets of semaphores and what the end of processes will undo in them. */
extern const struct world_kind kind_sysv_sem;
extern const struct task_kind kind_sem_undo;

/* Before the freeze. */
int sem_undo_look(struct dump *d);
/* Once the records of the tasks are made: whether the end of one will undo something in the set. */
bool sem_undo_has(const struct dump *d, int id);
/* Why it cannot be read what processes will undo: -errno; 0: it can, or nobody undoes anything. */
int sem_undo_error(const struct dump *d);
