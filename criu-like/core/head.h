#pragma once
#include "core/dump.h"
#include "core/restore.h"

/* The head of a checkpoint: who wrote it where, what a reader must be able to do. Written first. */
int head_dump(struct dump *d);
/* Refuses another format, machine, missing features or a processor that lacks what is in use. */
int head_check(struct restore *r);
