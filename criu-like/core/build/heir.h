#pragma once
#include <stdbool.h>

#include "core/restore.h"

/* Nothing that a task needs before its program ends depends on others that are not born yet. */
bool births_independent(const struct restore *r);
/* After everything is planned: finds the births that need none of our code in the new process. */
void heirs_find(struct restore *r);
