#pragma once
#include "core/restore.h"

/* Before the first fork and after everything is planned: makes the forks of many tasks cheap. */
int fork_memory_prepare(struct restore *r);
