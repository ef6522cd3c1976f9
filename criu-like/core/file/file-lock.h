#pragma once
#include "core/file/file.h"
#include "fd_table.pb-c.h"

/*
 * In a task. Takes those flock and OFD locks of the description that this process took, and, if
 * `first` (the description's first table is its), those whose taker is gone.
 */
int lock_take(struct self *s, const struct fd_obj *obj, bool first);
/* Makes the description known to whoever took a lock of it. */
void lock_plan(struct restore *r, struct fd_obj *o);
/* Appends taking the leases of a description. */
void lease_stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number);
/* Appends taking the POSIX locks of the table. */
int lock_stage(struct prog *p, const FdTable *table);
