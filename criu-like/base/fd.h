#pragma once
#include <stddef.h>

/* Descriptors the tool owns. -1 means none. `_close_ int fd = ...;` closes at the end of the block.
 */
void fd_close(int *fd);
/* Hands a descriptor over: yields the number and leaves -1 behind. */
static inline int take_fd(int *fd)
{
	int n = *fd;

	*fd = -1;
	return n;
}
#define _close_ __attribute__((cleanup(fd_close)))

struct mapping {
	void *p;
	size_t len;
};
void mapping_unmap(struct mapping *m);
#define _unmap_ __attribute__((cleanup(mapping_unmap)))
