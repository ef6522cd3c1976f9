#pragma once
#include "core/file/file.h"

/* In a task, fd: the final number. */
int owner_apply(const struct fd_obj *obj, int fd);
