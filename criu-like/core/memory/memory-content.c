/*
 * Content of shared memory objects: read through the descriptor of a mapping (map_files), data
 * parts only (SEEK_DATA), so that holes stay holes and nothing is allocated by looking.
 * The object may be larger than any mapping of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/memory/memory-dump.h"
#include "kernel/sys.h"

void memory_queue_content(struct dump *d, const struct vma_probe *p, uint32_t id)
{
	*vec_push(&d->arena, &d->memory->pending) =
		(struct content){ p->task, p->text->vma.start, p->text->vma.end, id };
}

static int fetch_object(struct page_writer *w)
{
	size_t done = 0;
	int r = 0;

	for (int i = 0; !r && i < w->n_iov; i++) {
		r = io_pread(w->fd, w->buffer + done, w->iov[i].iov_len,
			     (uint64_t)(uintptr_t)w->iov[i].iov_base);
		done += w->iov[i].iov_len;
	}
	return r ? fail(r, "read shared memory") : 0;
}

static int add_data(struct dump *d, struct mm *runs, int fd)
{
	struct page_writer *w = &d->memory->writer;
	long start = 0, end;
	int r = 0;

	while (!r && (start = sys(SYS_lseek, fd, start, SEEK_DATA)) >= 0) {
		uint64_t at;

		end = sys(SYS_lseek, fd, start, SEEK_HOLE);
		if (end < 0)
			return fail(end, "find the end of data in shared memory");
		end = (end + PAGE_BYTES - 1) & -PAGE_BYTES;
		r = page_writer_add(w, (uint64_t)start, (uint64_t)end, &at);
		run_append(&d->arena, runs, (struct run){ (uint64_t)start, (uint64_t)end, at, 0 });
		start = end;
	}
	if (!r && start != -ENXIO)
		return fail(start, "find data in shared memory");
	return r ?: page_writer_flush(w);
}

static int dump_object(struct dump *d, const struct content *c, struct image *image)
{
	struct page_writer *w = &d->memory->writer;
	struct mm runs = { .id = c->id };
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, c->start, c->end);
	_close_ int fd = (int)sys(SYS_openat, c->task->proc_fd, path, 02000000);
	if (fd < 0)
		return fail(fd, "open shared memory of task %d by '%s'", c->task->pid, path);
	w->fd = fd;
	w->fetch = fetch_object;
	r = add_data(d, &runs, fd) ?: page_writer_records(w, image, &runs);
	w->fetch = NULL;
	return r;
}

int memory_dump_content(struct dump *d)
{
	struct memory *m = d->memory;
	struct image *image;
	int r;

	if (!m->pending.n)
		return 0;
	r = image_create(d->set, "shmem_pages", &image);
	vec_foreach(c, &m->pending)
		r = r ?: dump_object(d, c, image);
	return r ?: image_finish(image);
}
