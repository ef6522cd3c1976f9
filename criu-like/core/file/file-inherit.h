#pragma once
#include "core/file/file-graph.h"

/* Finds the descriptions that descriptors of the caller replace (--inherit-fd). */
int inherit_plan(struct restore *r);
/* The caller's descriptor in the place of that description, or -errno. */
int inherit_open(struct opener *op, const struct planned *p);
