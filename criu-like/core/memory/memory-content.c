/*
 * Content of shared memory objects: read through a descriptor, data parts only (SEEK_DATA), so that
 * holes stay holes and nothing is allocated by looking. The object may be larger than any mapping
 * of it, and may end within a page: what lies behind its end in that page can be seen by those who
 * map it, so the last page is read through a mapping. hugetlbfs calls everything data: there,
 * huge pages of zeros are taken for holes.
 */
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/memory/memory-dump.h"
#include "kernel/descriptor.h"

uint32_t memory_queue_content(struct dump *d, int dir_fd, const char *path)
{
	struct memory *m = memory_state(d);

	*vec_push(&d->arena, &m->pending) = (struct content){ dir_fd, path };
	return (uint32_t)m->pending.n - 1;
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

static int fetch_tail(struct page_writer *w)
{
	long at = sys(SYS_mmap, 0, PAGE_BYTES, PROT_READ, MAP_SHARED, w->fd, w->iov[0].iov_base);

	if (at < 0)
		return fail(at, "map the last page of shared memory");
	memcpy(w->buffer, (const void *)at, PAGE_BYTES);
	(void)sys(SYS_munmap, at, PAGE_BYTES); /* ours */
	return 0;
}

static int add(struct dump *d, struct mm *runs, uint64_t start, uint64_t end)
{
	uint64_t at;
	int r = start < end ? page_writer_add(&d->memory->writer, start, end, &at) : 0;

	if (!r && start < end)
		run_append(&d->arena, runs, (struct run){ start, end, at, 0 });
	return r;
}

/* The page in which the object ends, alone in the buffer. */
static int add_tail(struct dump *d, struct mm *runs, uint64_t start)
{
	struct page_writer *w = &d->memory->writer;
	int r = page_writer_flush(w);

	w->fetch = fetch_tail;
	r = r ?: add(d, runs, start, start + PAGE_BYTES) ?: page_writer_flush(w);
	w->fetch = fetch_object;
	return r;
}

static int add_data(struct dump *d, struct mm *runs, int fd)
{
	struct page_writer *w = &d->memory->writer;
	long start = 0, end;
	int r = 0;

	while (!r && (start = sys(SYS_lseek, fd, start, SEEK_DATA)) >= 0) {
		end = sys(SYS_lseek, fd, start, SEEK_HOLE);
		if (end < 0)
			return fail(end, "find the end of data in shared memory");
		r = add(d, runs, (uint64_t)start, (uint64_t)end & -(uint64_t)PAGE_BYTES);
		if (!r && end % PAGE_BYTES)
			r = add_tail(d, runs, (uint64_t)end & -(uint64_t)PAGE_BYTES);
		start = end;
	}
	if (!r && start != -ENXIO)
		return fail(start, "find data in shared memory");
	return r ?: page_writer_flush(w);
}

static int is_zero(struct dump *d, int fd, uint64_t at, uint64_t len, bool *ret)
{
	struct page_writer *w = &d->memory->writer; /* its buffer is empty */

	*ret = true;
	for (uint64_t done = 0; *ret && done < len; done += BATCH_BYTES) {
		int r = io_pread(fd, w->buffer, BATCH_BYTES, at + done);

		if (r)
			return fail(r, "read shared memory of huge pages");
		*ret = !w->buffer[0] && !memcmp(w->buffer, w->buffer + 1, BATCH_BYTES - 1);
	}
	return 0;
}

static int add_huge(struct dump *d, struct mm *runs, int fd, uint64_t page)
{
	struct stat st;
	int r = sys_stat(fd, "", 0, &st, NULL);
	bool zero;

	if (r)
		return fail(r, "size of shared memory of huge pages");
	for (uint64_t at = 0; !r && at < (uint64_t)st.st_size; at += page) {
		r = is_zero(d, fd, at, page, &zero);
		if (!r && !zero)
			r = add(d, runs, at, at + page) ?: page_writer_flush(&d->memory->writer);
	}
	return r;
}

static int dump_object(struct dump *d, const struct content *c, uint32_t id, struct image *image)
{
	struct page_writer *w = &d->memory->writer;
	struct mm runs = { .id = id };
	_close_ int fd = sys_openat(c->dir_fd, c->path, O_RDONLY | O_CLOEXEC, 0);
	struct statfs fs;
	int r = fd < 0 ? fd : (int)sys(SYS_fstatfs, fd, &fs);

	if (r < 0)
		return fail(r, "open shared memory by '%s'", c->path);
	w->fd = fd;
	w->fetch = fetch_object;
	r = fs.f_type == HUGETLBFS_MAGIC ? add_huge(d, &runs, fd, (uint64_t)fs.f_bsize)
					 : add_data(d, &runs, fd);
	r = r ?: page_writer_records(w, image, &runs);
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
	for (uint32_t i = 0; !r && i < m->pending.n; i++)
		r = dump_object(d, &m->pending.v[i], i, image);
	return r ?: image_finish(image);
}
