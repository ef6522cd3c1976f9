#pragma once
#include <stdio.h>

#include "core/dump.h"
#include "core/restore.h"

/* The statistics record of a checkpoint, and the same figures as text, one `key: value` a line. */
int statistics_dump(struct dump *d);
void statistics_print(const struct stats *s, FILE *out);
void statistics_print_restore(const struct restore *r, FILE *out);
