#pragma once
#include <stddef.h>

#include "base/arena.h"

/* The names of a directory that are whole numbers (descriptors, pids), ascending. 0 or -errno. */
int numbers_list(struct arena *a, int dirfd, unsigned int **ret, size_t *ret_n);
