#pragma once
#include "core/restore.h"

/* A process that ends the tree should the tool die between the first release and the last. */
struct commit_page;
struct commit_guard {
	struct commit_page *page; /* NULL: the tree is one process, which needs none */
	pid_t pid;
};
/* It stands by. 0 or -errno, reported; to be ended in any case. */
int commit_guard_begin(struct restore *r, struct commit_guard *ret);
/* All are released: from now on the tool may die. */
void commit_guard_pass(struct commit_guard *g);
void commit_guard_end(struct commit_guard *g);
