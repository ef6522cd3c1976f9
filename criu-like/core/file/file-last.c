/*
 * What descriptions need in the very last moment: all threads of the restored tree are stopped with
 * their final registers. Copies are taken while a failure can still be undone; the hooks, which
 * cannot fail, run directly before the tree does.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file-graph.h"
#include "kernel/descriptor.h"

enum { OF_THREAD = O_EXCL }; /* PIDFD_THREAD, 6.9+ */

/* A leader that ended has no table any more. */
static int open_task(const struct task *t)
{
	return (int)sys(SYS_pidfd_open, task_main(t)->tid, t->thread.v[0]->dead ? OF_THREAD : 0);
}

static bool wanted(const struct planned *p)
{
	return p->o.kind->last && p->first && p->inherited < 0;
}

int files_last_prepare(struct restore *r)
{
	const struct task *at = NULL;
	_close_ int pidfd = -1;

	vec_foreach(p, &r->files->order) {
		const struct task *t = wanted(*p) ? r->tree.task.v[(*p)->first->id] : at;
		int fd;

		if (!wanted(*p))
			continue;
		if (t != at) {
			fd_close(&pidfd);
			pidfd = open_task(t);
			at = t;
		}
		fd = pidfd < 0 ? pidfd : sys_pidfd_getfd(pidfd, (int)(*p)->number);
		if (fd < 0)
			return fail(fd, "copy descriptor %u of restored task %d", (*p)->number,
				    t->pid);
		(*p)->o.fd = fd;
	}
	return 0;
}

void files_last(struct restore *r)
{
	vec_foreach(p, &r->files->order) {
		if (!wanted(*p) || (*p)->o.fd < 0)
			continue;
		(*p)->o.kind->last(&(*p)->o, (*p)->o.fd);
		fd_close(&(*p)->o.fd);
	}
}
