#pragma once
#include "core/file.h"
#include "fd_table.pb-c.h"

/*
 * In a task, fd: one of its numbers. Takes those flock and OFD locks of the description that this
 * process took, and, if `first`, those whose taker is none that has the description any more.
 */
int lock_take(struct self *s, const struct fd_obj *obj, bool first, int fd);
/* Appends taking the POSIX locks of the table. */
int lock_stage(struct prog *p, const FdTable *table);
