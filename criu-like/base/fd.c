/* Cleanup functions for descriptors and mappings of the tool itself. */
#include "fd.h"

#include <sys/mman.h>
#include <unistd.h>

void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* only descriptors without unwritten data are closed this way */
	*fd = -1;
}

void mapping_unmap(struct mapping *m)
{
	if (m->p)
		(void)munmap(m->p, m->len); /* cannot fail for a mapping we made */
	m->p = NULL;
}
