#pragma once
#include <stdio.h>

#include "core/dump.h"

/* The statistics record of a checkpoint, and the same figures as text, one `key: value` a line. */
int statistics_dump(struct dump *d);
void statistics_print(const struct stats *s, FILE *out);
