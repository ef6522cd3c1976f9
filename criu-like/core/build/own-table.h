#pragma once
#include "core/restore.h"

/*
 * Closes what the tool inherited from its caller and has no use for: whatever is not close-on-exec,
 * no standard stream and not named by an option. Restored tasks are forked from the tool, and their
 * descriptor tables must not start larger than they were.
 */
int own_table_trim(const struct restore *r);
