#pragma once
#include "core/dump.h"

/*
 * Numbers what processes share: task.mm, files, fs, sighand become the index of the first task with
 * that object. Refuses threads that have a descriptor table or a working directory of their own.
 */
/* Before the stop, with many processes: puts them in the order that share_number() needs. */
void share_look(struct dump *d);
int share_number(struct dump *d);
