/*
 * Mappings of shared anonymous memory ("/dev/zero (deleted)" in maps) and of memfds, of ordinary or
 * of huge pages. What they map is core/memory/shared-object.c. The link in map_files tells whether
 * the mapping's description was opened for writing; what was but may never be written (no "mw")
 * was mapped after the object was sealed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/memory/memory-kind.h"
#include "core/memory/shared-object.h"
#include "kernel/descriptor.h"
#include "shmem.pb-c.h"

enum { SEAL_WRITE = 8, GET_SEALS = 1034 };

static bool is_name(struct span path)
{
	return span_eq(path, "/dev/zero (deleted)") || span_starts(path, "[anon_shmem:") ||
	       span_starts(path, "/memfd:") ||
	       (span_starts(path, "/anon_hugepage"));
}

static bool match(struct dump *d, const struct vma_probe *p)
{
	const struct vma_text *v = &p->text->vma;

	if (!v->ino || v->major || !is_name(v->path))
		return false;
	if (p->text->flags & vm_flag(HT)) /* private pages of the pool are another kind */
		return v->shared || span_starts(v->path, "/memfd:");
	return shared_device(d, makedev(v->major, v->minor), 0);
}

/* Whether it is mapped from a description that is open for reading only, or as good as that. */
static int is_view(const struct vma_probe *p, const char *path, int fd, bool *ret)
{
	struct stat st;
	int r, seals;

	if (p->text->vma.shared && p->text->flags & vm_flag(MW)) {
		*ret = false;
		return 0;
	}
	r = sys_stat(p->task->proc_fd, path, AT_SYMLINK_NOFOLLOW, &st, NULL);
	if (r)
		return r;
	seals = sys_fcntl(fd, GET_SEALS, 0);
	*ret = !(st.st_mode & S_IWUSR) ||
	       (p->text->vma.shared && !(seals > 0 && seals & SEAL_WRITE));
	return 0;
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	const char *path = arena_printf(&d->arena, "map_files/%" PRIx64 "-%" PRIx64, v->start,
					v->end);
	_close_ int fd = vma_open_file(p, 0);
	bool view;
	int r = fd < 0 ? fd : is_view(p, path, fd, &view);

	if (r)
		return fail(r, "open %s of task %d", vma_title(&d->arena, p->text), p->task->pid);
	return shared_object(d, &(struct shared_probe){ fd, p->task->proc_fd, path }, view,
			     &v->object);
}

static int plan(struct restore *r, const struct task *t, const struct mem_object *o)
{
	(void)t;
	return shared_object_plan(r, o);
}

static int create(struct restore *r, const struct mem_object *o)
{
	int fd, e = shared_object_fd(r, o->id, &fd);

	return e ? e : fd;
}

const struct mem_kind kind_shmem = {
	.name = "shmem", .number = VMA__KIND__SHMEM, .descriptor = &shmem__descriptor,
	.match = match, .dump = dump, .plan = plan, .create = create,
};
