#pragma once
#include "core/stop/stopped.h"

/* Fills d->tree from the processes that were collected and stopped. */
int frozen_tree_build(struct dump *d);
