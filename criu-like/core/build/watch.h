#pragma once
#include <sys/types.h>

#include "core/build/area.h"

/*
 * For the coordinator: waits until the word has reached `target`, and looks whether those that
 * shall pass it still live. -ECANCELED when somebody failed (it has been reported), or another
 * -errno, reported here.
 */
int watch_wait(struct restore *r, enum area_word w, uint32_t target);
/* State of a process or thread and the number of its threads, as in /proc/PID/stat; 'X': gone, 0:
 * not known. */
char watch_state(pid_t pid, uint32_t *ret_threads);
/* The wait status of a zombie. */
int watch_exit_code(pid_t pid, int32_t *ret);
