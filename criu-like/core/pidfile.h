#pragma once
#include <sys/types.h>

/*
 * The pid of the root in a file, looked up in the work directory. An older file of that name is
 * replaced; links are not followed. 0 or -errno (reported). NULL as name: nothing.
 */
int pidfile_write(int work_fd, const char *name, pid_t pid);
/* Takes it away again. */
void pidfile_remove(int work_fd, const char *name);
