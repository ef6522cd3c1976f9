#pragma once
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"

/* /proc/PID, opened once: a pid that is reused later cannot be confused with it (ESRCH then). */
struct proc_dir {
	int fd;
	pid_t pid;
};

int proc_open(pid_t pid, struct proc_dir *ret);
void proc_close(struct proc_dir *p);
#define _proc_close_ __attribute__((cleanup(proc_close)))

/* A whole file below it ("task/12/status"), NUL behind the text. 0 or -errno. Nothing is logged. */
int proc_read(struct arena *a, const struct proc_dir *p, const char *path, struct span *ret);
/* The same of a file that is one record. */
int proc_read_record(struct arena *a, const struct proc_dir *p, const char *path, struct span *ret);
/* The target of a link below it ("exe"). Names longer than a page: -ENAMETOOLONG. */
int proc_link(struct arena *a, const struct proc_dir *p, const char *path, char **ret);

/*
 * Undoes the kernel's \ooo for the characters it escapes in that file, and for no others (where
 * the backslash itself is not escaped, \101 is four characters of a name).
 */
char *proc_unescape(struct arena *a, struct span s, const char *escaped);
