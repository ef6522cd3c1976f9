/*
 * Copying pages into the store. process_vm_readv is the fastest way to read another task, into a
 * small buffer that stays in the cache; it stops at the first page that the task itself could not
 * read (PROT_NONE, execute only). Those pieces are read through /proc/PID/mem, which forces.
 *
 * process_vm_readv pins what it reads, and pinning a page that is shared copy on write gives the
 * task a copy of its own first (since 5.19): the dump would undo the sharing that it is to save,
 * and the memory of a tree that goes on would grow. /proc/PID/mem does not pin, so shared pages are
 * read that way.
 */
#include "core/memory/memory-pages.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "kernel/sys.h"

enum { RUNS_PER_RECORD = 4096, FEW_RUNS = 256 };

uint64_t page_writer_bytes(const struct page_writer *w)
{
	return w->next & ((1ULL << RUN_SHARD_BITS) - 1);
}

int page_writer_init(struct page_writer *w, struct arena *a, struct page_store *store,
		     uint32_t shard)
{
	*w = (struct page_writer){ .arena = a, .store = store, .fd = -1 };
	w->next = (uint64_t)shard << RUN_SHARD_BITS;
	w->buffer = arena_alloc(a, BATCH_BYTES);
	map_init(&w->shared, a);
	map_init(&w->content, a);
	if (sys(SYS_getrandom, &w->seed, sizeof(w->seed), 0) != sizeof(w->seed))
		return fail(-EIO, "random bits for the digests of pages");
	return 0;
}

/* As many of the pieces from this one on as may be read in the fast way; yields the bytes read. */
static size_t fetch_fast(struct page_writer *w, int from, size_t skip)
{
	struct iovec local = { w->buffer + skip, w->pending_bytes - skip };
	int to = from;
	long n;

	while (to < w->n_iov && !w->careful[to])
		to++;
	n = sys(SYS_process_vm_readv, w->pid, &local, 1, &w->iov[from], to - from, 0);
	return n > 0 ? (size_t)n : 0;
}

/* Default: from the memory of the task. */
static int fetch_task(struct page_writer *w)
{
	size_t done = 0, before = 0;

	for (int i = 0; i < w->n_iov; i++) {
		uint64_t at = (uint64_t)(uintptr_t)w->iov[i].iov_base;
		size_t len = w->iov[i].iov_len;
		int r = 0;

		if (done <= before && !w->careful[i])
			done = before + fetch_fast(w, i, before);
		if (done < before + len) {
			r = io_pread(w->fd, w->buffer + before, len, at);
			done = before + len;
		}
		if (r)
			return fail(r, "read memory at %" PRIx64, at);
		before += len;
	}
	return 0;
}

int page_writer_flush(struct page_writer *w)
{
	struct iovec whole = { w->buffer, w->pending_bytes };
	uint64_t offset, hash;
	int r;

	if (!w->pending_bytes)
		return 0;
	r = w->fetch ? w->fetch(w) : fetch_task(w);
	r = r ?: page_store_append(w->store, &whole, 1, &offset, &hash);
	if (r)
		return r;
	bug_on(offset + w->pending_bytes != page_writer_bytes(w),
	       "pages went to another place than planned");
	*vec_push(w->arena, &w->extent) = (struct extent){ w->next - w->pending_bytes,
							   w->pending_bytes / PAGE_BYTES, hash };
	w->pending_bytes = 0;
	w->n_iov = 0;
	return 0;
}

static void queue(struct page_writer *w, uint64_t start, size_t len)
{
	struct iovec *last = w->n_iov ? &w->iov[w->n_iov - 1] : NULL;

	if (last && (uintptr_t)last->iov_base + last->iov_len == start &&
	    w->careful[w->n_iov - 1] == w->gentle) {
		last->iov_len += len;
	} else {
		w->careful[w->n_iov] = w->gentle;
		w->iov[w->n_iov++] = (struct iovec){ (void *)(uintptr_t)start, len };
	}
	w->pending_bytes += len;
	w->next += len;
}

int page_writer_add(struct page_writer *w, uint64_t start, uint64_t end, uint64_t *ret_at)
{
	uint64_t at = w->next;
	int r = 0;

	while (!r && start < end) {
		size_t room = BATCH_BYTES - w->pending_bytes;
		size_t len = end - start < room ? (size_t)(end - start) : room;

		queue(w, start, len);
		start += len;
		if (w->pending_bytes == BATCH_BYTES || w->n_iov == BATCH_IOV)
			r = page_writer_flush(w);
	}
	if (!r)
		*ret_at = at;
	return r;
}

void run_append(struct arena *a, struct mm *m, struct run r)
{
	struct run *last = m->run.n ? &m->run.v[m->run.n - 1] : NULL;

	if (last && last->end == r.start && last->flags == r.flags &&
	    last->at + (last->end - last->start) == r.at)
		last->end = r.end;
	else
		*vec_push(a, &m->run) = r;
}

static uint32_t shard_of(uint64_t at)
{
	return (uint32_t)(at >> RUN_SHARD_BITS);
}

static uint64_t within_shard(uint64_t at)
{
	return at & ((1ULL << RUN_SHARD_BITS) - 1);
}

/* The next runs that lie in the shard of the record. */
static size_t fill_runs(struct arena *a, Pagemap *p, const struct run *run, size_t n)
{
	size_t k = 0;

	while (k < n && k < RUNS_PER_RECORD && shard_of(run[k].at) == p->shard)
		k++;
	p->address = arena_array(a, uint64_t, k);
	p->pages = arena_array(a, uint64_t, k);
	p->offset = arena_array(a, uint64_t, k);
	p->flags = arena_array(a, uint32_t, k);
	p->n_address = p->n_pages = p->n_offset = p->n_flags = k;
	for (size_t i = 0; i < k; i++) {
		p->address[i] = run[i].start;
		p->pages[i] = (run[i].end - run[i].start) / PAGE_BYTES;
		p->offset[i] = within_shard(run[i].at);
		p->flags[i] = run[i].flags;
	}
	return k;
}

static size_t fill_extents(struct arena *a, Pagemap *p, const struct extent *e, size_t n)
{
	size_t k = 0;

	while (k < n && k < RUNS_PER_RECORD && shard_of(e[k].at) == p->shard)
		k++;
	p->extent_offset = arena_array(a, uint64_t, k);
	p->extent_pages = arena_array(a, uint64_t, k);
	p->extent_hash = arena_array(a, uint64_t, k);
	p->n_extent_offset = p->n_extent_pages = p->n_extent_hash = k;
	for (size_t i = 0; i < k; i++) {
		p->extent_offset[i] = within_shard(e[i].at);
		p->extent_pages[i] = e[i].pages;
		p->extent_hash[i] = e[i].hash;
	}
	return k;
}

int page_writer_records(struct page_writer *w, struct image *image, const struct mm *m)
{
	struct arena scratch;
	/* Clearing a chunk takes longer than a small process has to say. */
	struct arena *a = m->run.n + w->extent.n < FEW_RUNS ? w->arena : &scratch;
	size_t run = 0, extent = 0;
	int r = 0;

	arena_init(&scratch);
	while (!r && (run < m->run.n || extent < w->extent.n)) {
		Pagemap p = PAGEMAP__INIT;

		p.shard = shard_of(run < m->run.n ? m->run.v[run].at : w->extent.v[extent].at);
		run += fill_runs(a, &p, m->run.v + run, m->run.n - run);
		extent += fill_extents(a, &p, w->extent.v + extent, w->extent.n - extent);
		r = image_append(image, m->id, &p.base);
	}
	arena_deinit(&scratch);
	w->extent.n = 0;
	return r;
}
