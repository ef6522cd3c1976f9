#pragma once
#include "core/kind.h"

/*
 * The registry: one word per kind. The order of task kinds is the order of their operations within
 * a stage; the order of descriptor kinds is the order in which they are matched.
 */
#define TASK_KINDS(X) X(brk)

#define FD_KINDS(X)                                                                               \
	X(pipe)                                                                                   \
	X(dev) X(procfile) X(opath) X(regular) X(fifo) X(eventfd) X(signalfd) X(timerfd) X(epoll) \
		X(pidfd) X(socketpair)

/* Kinds of mappings, in match order. */
#define MEM_KINDS(X) X(special) X(shmem) X(mapped_file) X(anon)
