#pragma once
#include "core/build/birth.h"
#include "core/restore.h"

/* Forks the root (and through it the whole tree); yields when the clone3 of the root is done. */
int self_fork_root(struct restore *r);
