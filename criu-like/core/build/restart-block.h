#pragma once
#include "core/task.h"

/*
 * A thread that slept in a relative sleep gets a new restart block with the time that was left. 1:
 * its registers are set, 0: nothing to renew, -errno. The thread is stopped under ptrace.
 */
int restart_block_renew(const struct thread *t);
