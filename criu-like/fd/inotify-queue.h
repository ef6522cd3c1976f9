#pragma once
#include "core/dump.h"
#include "core/restore.h"
#include "inotify.pb-c.h"

/* Takes `bytes` of unread events off the descriptor. */
int inotify_queue_read(struct arena *a, int fd, uint32_t bytes, InotifyQueue *ret);
/*
 * Fills the empty queue of fd, which has no watches yet, with these events in this order; numbers
 * of watches that live must be in `event` or below `free_wd`. NULL, or events that cannot be
 * produced: the queue says that events were lost.
 */
int inotify_queue_fill(struct arena *a, int fd, const InotifyQueue *q, uint32_t free_wd);
/* A queue from an image: names that are names, numbers that are numbers. */
int inotify_queue_check(const InotifyQueue *q);
