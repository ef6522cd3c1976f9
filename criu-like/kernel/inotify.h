#pragma once
#include <stdint.h>
#include <sys/ioctl.h>

#include "kernel/descriptor.h"

/* inotify(7), typed. All yield a result >= 0 or -errno. */

static inline int sys_inotify_add(int fd, const char *path, uint32_t mask)
{
	return (int)sys(SYS_inotify_add_watch, fd, path, mask);
}
static inline int sys_inotify_remove(int fd, uint32_t wd)
{
	return (int)sys(SYS_inotify_rm_watch, fd, wd);
}
/* The number that the next new watch gets, if it is free (4.16+, CONFIG_CHECKPOINT_RESTORE). */
static inline int sys_inotify_set_next(int fd, uint32_t wd)
{
	return (int)sys(SYS_ioctl, fd, _IOW('I', 0, int32_t), wd);
}
