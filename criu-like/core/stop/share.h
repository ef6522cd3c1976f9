#pragma once
#include "core/dump.h"

/*
 * Numbers what processes share: task.mm, files, fs, sighand become the index of the first task with
 * that object. Refuses threads that have a descriptor table or a working directory of their own.
 */
int share_number(struct dump *d);
