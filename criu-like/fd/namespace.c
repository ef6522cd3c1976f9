/*
 * Namespaces open as files (/proc/PID/ns/TYPE).
 *
 * The link names the type, and the inode is the namespace. One in which the tool itself lives is
 * the one in which the tool of the restore lives: it is opened again there, by its type. Others
 * belong to trees with namespaces of their own and are refused. The file knows nothing but its
 * namespace: no position, no content.
 */
#include "namespace.pb-c.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

enum { NSFS_FS_MAGIC = 0x6e736673 };

static bool match(struct dump *d, struct fd_probe *p)
{
	return S_ISREG(p->st.st_mode) && fd_fs_type(d, p) == NSFS_FS_MAGIC;
}

static const char *own_path(struct arena *a, const char *type)
{
	return arena_printf(a, "/proc/self/ns/%s", type);
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	const char *link = fd_link(d, p), *end = strchr(link, ':');
	Namespace *m = msg;
	struct stat st;

	if (!end || link[0] == '/')
		return fd_refuse(d, p, "its kind of namespace is not told",
				 "close it before the dump");
	m->type = arena_strndup(&d->arena, link, (size_t)(end - link));
	if (sys_stat(AT_FDCWD, own_path(&d->arena, m->type), 0, &st, NULL) ||
	    st.st_ino != p->st.st_ino || st.st_dev != p->st.st_dev)
		return fd_refuse(d, p, "it is not a namespace of the tool",
				 "close it, or run the tool in that namespace");
	return 0;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Namespace *m = o->msg;

	(void)r;
	if (strchr(m->type, '/') || m->type[0] == '.')
		return fail(-EPROTO, "image 'namespace': '%s' is no type", m->type);
	return 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Namespace *m = obj->msg;
	int fd = sys_openat(AT_FDCWD, own_path(o->arena, m->type),
			    (int)(obj->ofd->flags & ~(uint64_t)O_ASYNC) | O_CLOEXEC, 0);

	return fd < 0 ? fail(fd, "open the %s namespace", m->type) : fd;
}

const struct fd_kind kind_namespace = { .name = "namespace",
					.descriptor = &namespace__descriptor,
					.match = match,
					.dump = dump,
					.plan = plan,
					.open = open_fd };
