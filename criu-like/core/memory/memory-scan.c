/*
 * Which pages of an address space are saved, and which of them relatives share. One PAGEMAP_SCAN
 * tells the private pages (no zero page, nothing that still belongs to the file) of all mappings.
 *
 * After a fork parent and child have the same physical pages until one of them writes. There is no
 * call that tells this, but pagemap: bit 56 is clear where a page is mapped more than once, and
 * equal frame numbers at equal addresses are the same page. For a huge page the bit speaks of its
 * first small page only, so these are always looked up. A page found again is not read: the run
 * points to the copy in the store. Pages that are shared with anybody are read gently, so that they
 * stay shared (core/memory/memory-pages.c). Frames may move while we look, but a page that has
 * moved is only not recognised: equal frames are believed for shared pages at the same address
 * only.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/memory/memory-ahead.h"
#include "core/memory/memory-dump.h"
#include "core/stop/victim.h"
#include "kernel/pagemap.h"
#include "kernel/sys.h"

enum { REGIONS = 2048, WINDOW = 4096, GAP = 16, TWIN_BYTES = 64 << 10, BULK_BYTES = 256 << 10 };

/* What is needed while one address space is looked through. */
struct scan {
	struct dump *d;
	struct memory *m;
	struct mm *mm;
	const struct task *task;
	size_t vma;              /* regions ascend: the mapping we are at */
	int pagemap;             /* -1: not open */
	const struct ahead_page *known; /* of the region from known_start on; NULL: look */
	uint64_t known_start;
	bool join;               /* there are relatives */
	uint64_t window_start, window_n;
	uint64_t entry[WINDOW];
	struct page_region region[REGIONS];
	char twin[TWIN_BYTES];   /* pages that are compared with others */
};

/* The entries around `at`: as far as the regions that follow lie close to each other. */
static int entry_at(struct scan *s, uint64_t at, uint64_t end, uint64_t *ret)
{
	uint64_t i = (at - s->window_start) / PAGE_BYTES;

	if (s->known) {
		*ret = s->known[(at - s->known_start) / PAGE_BYTES].entry;
		return 0;
	}
	if (at < s->window_start || i >= s->window_n) {
		uint64_t n = (end - at) / PAGE_BYTES + GAP;
		int r = pagemap_read(s->pagemap, at, s->entry, n < WINDOW ? n : WINDOW);

		if (r <= 0)
			return fail(r ? r : -ESRCH, "read pagemap at %" PRIx64, at);
		s->window_start = at;
		s->window_n = (uint64_t)r;
		i = 0;
	}
	*ret = s->entry[i];
	return 0;
}

static int store_piece(struct scan *s, uint64_t start, uint64_t end, uint32_t flags)
{
	struct page_writer *w = &s->m->writer;
	uint64_t at;
	int r = 0;

	if (end - start >= BULK_BYTES)
		at = memory_bulk_add(s->d, &(struct bulk_run){ s->task, start, end, w->gentle });
	else
		r = page_writer_add(w, start, end, &at);
	if (r)
		return r;
	run_append(&s->d->arena, s->mm, (struct run){ start, end, at, flags });
	s->d->stats.pages_saved += (end - start) / PAGE_BYTES;
	return 0;
}

/* One page that may be shared: known already, or stored and remembered. */
static int store_or_join(struct scan *s, uint64_t page, uint64_t entry, uint32_t flags)
{
	struct page_writer *w = &s->m->writer;
	uint64_t key = entry & (PAGEMAP_FRAME | PAGEMAP_SWAP);
	void *known = entry & PAGEMAP_FRAME ? map_get(&w->shared, page, key) : NULL;

	flags |= PAGEMAP__FLAG__SHARED;
	if (!known) {
		map_put(&w->shared, page, key, (void *)(uintptr_t)(w->next + 1));
		return store_piece(s, page, page + PAGE_BYTES, flags);
	}
	run_append(&s->d->arena, s->mm,
		   (struct run){ page, page + PAGE_BYTES, (uint64_t)(uintptr_t)known - 1, flags });
	s->d->stats.pages_shared++;
	return 0;
}

/* Pages that others may have as well, in this tree (joined) or outside of it. */
static int add_shared(struct scan *s, uint64_t start, uint64_t end, uint32_t flags)
{
	uint64_t entry = 0;
	int r = 0;

	s->m->writer.gentle = true;
	if (!s->join)
		r = store_piece(s, start, end, flags);
	for (uint64_t page = start; s->join && !r && page < end; page += PAGE_BYTES) {
		r = entry_at(s, page, end, &entry);
		r = r ?: store_or_join(s, page, entry, flags);
	}
	s->m->writer.gentle = false;
	return r;
}

/* Equal content is saved once: 128 bits under a secret seed are equal for equal pages only. */
static int store_or_refer(struct scan *s, uint64_t page, struct page_digest digest)
{
	struct map *known = &s->m->writer.content;
	uintptr_t at = (uintptr_t)map_get(known, digest.low, digest.high);

	if (!at) {
		map_put(known, digest.low, digest.high,
			(void *)(uintptr_t)(s->m->writer.next + 1));
		return store_piece(s, page, page + PAGE_BYTES, 0);
	}
	run_append(&s->d->arena, s->mm, (struct run){ page, page + PAGE_BYTES, at - 1, 0 });
	return 0;
}

/* What the helper has read. 1: done; 0: it has not read all of it. */
static int add_alone_known(struct scan *s, uint64_t start, uint64_t end)
{
	const struct ahead_page *p = s->known + (start - s->known_start) / PAGE_BYTES;
	size_t n = (end - start) / PAGE_BYTES;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (!p[i].digest.low && !p[i].digest.high)
			return 0;
	for (size_t i = 0; !r && i < n; i++)
		r = store_or_refer(s, start + i * PAGE_BYTES, p[i].digest);
	return r ?: 1;
}

/*
 * A page of its own. Relatives often come to the same content by themselves (a thousand workers
 * that wait at the same place), and then it costs room only once. Long runs are data: not looked
 * at.
 */
static int add_alone(struct scan *s, uint64_t start, uint64_t end)
{
	char *buffer = s->twin;
	struct iovec local = { buffer, end - start },
		     remote = { (void *)(uintptr_t)start, end - start };
	int r = s->known && s->join ? add_alone_known(s, start, end) : 0;

	if (r)
		return r < 0 ? r : 0;
	if (!s->join || end - start > sizeof(s->twin) ||
	    sys(SYS_process_vm_readv, s->m->writer.pid, &local, 1, &remote, 1, 0) !=
		    (long)(end - start))
		return store_piece(s, start, end, 0);
	for (uint64_t at = start; !r && at < end; at += PAGE_BYTES)
		r = store_or_refer(
			s, at, page_digest(buffer + (at - start), PAGE_BYTES, s->m->writer.seed));
	return r;
}

static int add_small(struct scan *s, uint64_t start, uint64_t end)
{
	uint64_t from = start, entry = 0;
	bool alone = true;
	int r = 0;

	for (uint64_t page = start; !r && page < end; page += PAGE_BYTES) {
		r = entry_at(s, page, end, &entry);
		if (r || ((entry & PAGEMAP_EXCLUSIVE) != 0) == alone)
			continue;
		if (from < page)
			r = alone ? add_alone(s, from, page) : add_shared(s, from, page, 0);
		alone = !alone;
		from = page;
	}
	return r ?: alone ? add_alone(s, from, end) : add_shared(s, from, end, 0);
}

/* A region within one mapping. */
static int add_pages(struct scan *s, struct vma *v, const struct page_region *g)
{
	uint64_t start = g->start > v->start ? g->start : v->start;
	uint64_t end = g->end < v->end ? g->end : v->end;
	uint32_t flags = g->categories & PAGE_HUGE ? PAGEMAP__FLAG__HUGE : 0;

	if (g->categories & PAGE_GUARD) {
		*vec_push(&s->d->arena, &v->guard) = (struct range){ start, end };
		return 0;
	}
	if (!vma_has_pages(v))
		return 0;
	s->d->stats.pages_looked_at += (end - start) / PAGE_BYTES;
	return flags ? add_shared(s, start, end, flags) : add_small(s, start, end);
}

static int add_region(struct scan *s, const struct page_region *g)
{
	int r = 0;

	while (s->vma < s->mm->vma.n && s->mm->vma.v[s->vma].end <= g->start)
		s->vma++;
	for (size_t i = s->vma; !r && i < s->mm->vma.n && s->mm->vma.v[i].start < g->end; i++)
		r = add_pages(s, &s->mm->vma.v[i], g);
	return r;
}

/* Before 6.7 there is no scan: the entries of each mapping are read. */
static int walk(struct scan *s, struct page_region *region)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->mm->vma.n; i++) {
		const struct vma *v = &s->mm->vma.v[i];

		for (uint64_t at = v->start; r >= 0 && vma_has_pages(v) && at < v->end;) {
			int n = r = pagemap_walk(s->pagemap, &at, v->end, region, REGIONS);

			for (int k = 0; r >= 0 && k < n; k++)
				r = add_region(s, &region[k]);
		}
	}
	return r < 0 ? r : 0;
}

static int scan(struct scan *s, struct page_region *region)
{
	uint64_t at = 0, end = s->mm->vma.n ? s->mm->vma.v[s->mm->vma.n - 1].end : 0;
	int r = 0;

	while (!r && at < end) {
		int n = pagemap_scan(s->pagemap, &at, end, region, REGIONS);

		if (n == -ENOTTY || n == -EINVAL)
			return walk(s, region);
		if (n < 0)
			return fail(n, "PAGEMAP_SCAN");
		for (int k = 0; !r && k < n; k++)
			r = add_region(s, &region[k]);
	}
	return r;
}

/* The same regions and entries, as the helper has seen them. */
static int take_known(struct scan *s, const struct ahead *a)
{
	const struct ahead_page *page = a->page;
	int r = 0;

	for (size_t i = 0; !r && i < a->n_region; i++) {
		const struct page_region *g = &a->region[i];

		s->known = page;
		s->known_start = g->start;
		r = add_region(s, g);
		if (ahead_small(g))
			page += (g->end - g->start) / PAGE_BYTES;
	}
	s->known = NULL;
	return r;
}

static int look(struct scan *s)
{
	_close_ int pagemap = (int)sys(SYS_openat, s->task->proc_fd, "pagemap", 02000000);
	int r;

	if (pagemap < 0)
		return fail(pagemap, "open the pagemap of task %d", s->task->pid);
	s->pagemap = pagemap;
	r = scan(s, s->region);
	s->pagemap = -1;
	return r;
}

int memory_dump_pages(struct dump *d, size_t i)
{
	const struct task *t = d->memory->owner.v[i];
	const struct ahead *a = d->memory->ahead.v[i];
	struct page_writer *w = &d->memory->writer;
	int mem = victim_memory(d, t);
	struct scan *s = d->memory->scan ?: arena_new(&d->arena, struct scan);
	int r;

	if (mem < 0)
		return fail(-EBADF, "open the memory of task %d", t->pid);
	d->memory->scan = s;
	s->d = d;
	s->m = d->memory;
	s->mm = d->memory->space.v[i];
	s->task = t;
	s->vma = 0;
	s->pagemap = -1;
	s->known = NULL;
	s->join = d->memory->space.n > 1;
	s->window_n = 0;
	w->pid = t->pid;
	w->fd = mem;
	r = a && a->pages_known ? take_known(s, a) : look(s);
	return r ?: page_writer_flush(w);
}
