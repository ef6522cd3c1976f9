/*
 * Memory that the kernel shares with a program through a ring of io_uring (maps calls it
 * "anon_inode:[io_uring]"; the inode is the ring's own). Its content belongs to the ring and comes
 * back with it, in the blob; until then pages of zeros keep the place. A mapping whose ring no
 * descriptor of the tree leads to is refused: the ring could not be asked for anything.
 */
#include "ring_mapping.pb-c.h"

#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/memory/memory-kind.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

extern const struct mem_kind kind_ring_mapping;

static bool match(struct dump *d, const struct vma_probe *p)
{
	(void)d;
	return span_eq(p->text->vma.path, "anon_inode:[io_uring]");
}

static bool is_ring(const struct fd_kind *k)
{
	return k && !strcmp(k->name, "io_uring");
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	const struct vma_text *text = &p->text->vma;
	const struct fd_seen *s = files_seen(d, makedev(text->major, text->minor), text->ino);
	RingMapping m = RING_MAPPING__INIT;
	bool is_new;

	if (!s || s->next || !is_ring(s->kind))
		return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text),
			      "no descriptor leads to its ring",
			      "let the program unmap it, or keep the descriptor");
	m.ofd = s->id;
	v->object = memory_object_id(d, &kind_ring_mapping, s->id, 0, &is_new);
	return is_new ? memory_append_object(d, &kind_ring_mapping, v->object, &m.base) : 0;
}

static int plan(struct restore *r, const struct task *t, const struct mem_object *o)
{
	const struct fd_obj *ring = files_find(r, ((const RingMapping *)o->msg)->ofd);

	(void)t;
	return ring && is_ring(ring->kind) ? 0
					   : fail(-EPROTO, "image 'ring_mapping': no such ring");
}

static int open_place(struct restore *r, const struct mem_object *o)
{
	int fd = sys_openat(AT_FDCWD, "/dev/zero", O_RDWR | O_CLOEXEC, 0);

	(void)r;
	(void)o;
	return fd < 0 ? fail(fd, "open '/dev/zero'") : fd;
}

const struct mem_kind kind_ring_mapping = {
	.name = "ring_mapping", .number = VMA__KIND__RING, .descriptor = &ring_mapping__descriptor,
	.match = match, .dump = dump, .plan = plan, .open = open_place,
};
