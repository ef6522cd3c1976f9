#pragma once
#include "core/dump.h"
#include "core/restore.h"

/* The tree in images: task.img and thread.img. */
int tree_dump(struct dump *d);
/* Reads and checks them; refuses what a hostile image could hold. */
int tree_read(struct restore *r);
