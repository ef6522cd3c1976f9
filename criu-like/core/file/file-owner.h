#pragma once
#include "core/file/file.h"

/* In a task, fd: the final number. */
int owner_apply(const struct fd_obj *obj, int fd);
/* In the blob: owners that are threads. */
void owner_stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number);
/* Appends setting it once more, or that there is none. */
void owner_stage_again(struct prog *p, const struct fd_obj *obj, int number);
