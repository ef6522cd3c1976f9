#pragma once
#include "core/kind.h"

/*
 * The registry: one word per kind. The order of task kinds is the order of their operations within a
 * stage; the order of descriptor kinds is the order in which they are matched.
 */
#define TASK_KINDS(X)

#define FD_KINDS(X) X(pipe) X(dev) X(regular)
