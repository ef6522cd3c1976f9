#pragma once
#include "core/file.h"
#include "fd_table.pb-c.h"

/* Takes the flock and OFD locks of a description that is open as fd. */
int lock_take(const struct fd_obj *obj, int fd);
/* Appends taking the POSIX locks of the table. */
int lock_stage(struct prog *p, const FdTable *table);
