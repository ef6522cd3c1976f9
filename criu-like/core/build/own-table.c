/*
 * The tool's own descriptor table before the first fork. A forked table has room for the highest
 * open number and never shrinks again (FDSize shows it), so a stray descriptor 251 of some shell
 * would be seen in every restored task. Our own descriptors are close-on-exec, which tells them
 * apart.
 */
#include "core/build/own-table.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/proc-list.h"
#include "kernel/sys.h"

static bool named_by_option(const struct restore *r, int fd)
{
	const struct inherit_fd *i = r->opt->inherit;

	for (; i && i->key; i++)
		if (i->fd == fd)
			return true;
	return fd == r->opt->images_fd || fd == r->opt->work_fd;
}

int own_table_trim(const struct restore *r)
{
	struct proc_list open = { 0 };
	struct arena scratch;
	int k;

	arena_init(&scratch);
	k = proc_list_at(&scratch, AT_FDCWD, "/proc/self/fd", &open);
	for (size_t i = 0; !k && i < open.n; i++) {
		int fd = open.v[i];
		long flags = sys(SYS_fcntl, fd, F_GETFD);

		if (fd > STDERR_FILENO && flags >= 0 && !(flags & FD_CLOEXEC) &&
		    !named_by_option(r, fd))
			(void)sys(SYS_close, fd); /* a copy of the caller's: nothing is lost */
	}
	arena_deinit(&scratch);
	return k ? fail(k, "list the tool's own descriptors") : 0;
}
