#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "kernel/sys.h"

/* Attributes of the calling process. All yield a result >= 0 or -errno. */

/* A file below /proc/self, written by one write(2) / read whole as a line (terminated, newline
 * cut). */
int own_write(const char *name, const char *text);
int own_read(const char *name, char *buf, size_t size);
/* Whether a capability is effective. */
bool own_capable(unsigned int cap);
/* Capabilities: effective, permitted, inheritable. */
int own_capabilities(uint64_t ret[3]);
/* Supplementary groups; yields how many there are, at most n are written. */
int own_groups(uint32_t *ret, int n);
int own_limit(int resource, struct rlimit *ret);
/* Whether timers can be created with a wanted id (PR_TIMER_CREATE_RESTORE_IDS, 6.15+). */
bool own_timer_ids(void);
/* The length of a tick of the kernel, rounded up. */
uint64_t own_tick_us(void);
/* The seccomp mode; 0: none. */
int own_seccomp(void);
int own_no_new_privs(void);
int own_securebits(void);
/* The bounding set, as far as this kernel knows capabilities. */
uint64_t own_bounding(void);
bool own_other_cpus(void); /* it may run on more than one */
bool own_knows_capability(int cap); /* this kernel does; they have no gaps */
static inline int sys_fchdir(int fd)
{
	return (int)sys(SYS_fchdir, fd);
}
/* chroot to the current directory. */
static inline int sys_chroot_here(void)
{
	return (int)sys(SYS_chroot, ".");
}
static inline int sys_umask(unsigned int mask)
{
	return (int)sys(SYS_umask, mask);
}
/* O_PATH of a name below a directory of /proc. */
int own_open_path(int dirfd, const char *name);
