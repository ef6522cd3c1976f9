/*
 * A look at one address space, made by a helper while the coordinator asks tasks questions: smaps
 * is understood, PAGEMAP_SCAN tells the private pages, pagemap where each of them is, and pages
 * that nobody else has are read for their digest. Nothing of it is needed: what is missing, because
 * it is too much or did not work, the coordinator looks at itself, and reports what fails.
 *
 * Between this look and the copy of the pages a thread may have been asked questions. All that
 * leaves behind in private memory is what the kernel writes into the rseq area of a thread that
 * goes on (cpu, node, mm_cid), and it writes that again when the restored thread goes on.
 */
#include "core/memory/memory-ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "core/memory/memory-plan.h"
#include "core/memory/vma.h"
#include "kernel/descriptor.h"
#include "kernel/sys.h"

enum {
	VMAS = 65536,
	REGIONS = 32768,
	PAGES = 65536,
	GAP_PAGES = 128, /* entries in between are cheaper than one more call */
	RUN_BYTES = 64 << 10, /* longer ones are data: not compared */
	BATCH_BYTES = 1 << 20,
	BATCH_RUNS = 64,
	TEXT_BYTES = 32 << 20,
	AUXV_BYTES = 4096,
};

/* In the scratch memory. */
struct look {
	const struct read_ahead_job *job;
	struct ahead out;
	struct smaps_vma vma[VMAS];
	struct page_region region[REGIONS];
	struct ahead_page page[PAGES];
	uint64_t entry[PAGES];
	size_t n_page;
	uint64_t path_bytes;
	bool own_known;	 /* the vdso of this process */
	struct arena arena;
	struct own_vdso own;
	char auxv[AUXV_BYTES];
	/* Runs of pages that are read at once: where, and which pages these are. */
	struct iovec iov[BATCH_RUNS];
	size_t first[BATCH_RUNS], n_run, run_bytes;
	char bytes[BATCH_BYTES];
	char text[TEXT_BYTES];
};

static int open_file(const struct look *l, const char *name)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", l->job->pid, name); /* always fits */
	return (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static int read_text(struct look *l, struct span *ret)
{
	_close_ int fd = open_file(l, "smaps");
	size_t len = 0;
	long n;

	if (fd < 0)
		return fd;
	while ((n = sys(SYS_read, fd, l->text + len, sizeof(l->text) - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0 || len == sizeof(l->text) - 1)
		return n < 0 ? (int)n : -ENOSPC;
	l->text[len] = 0;
	*ret = (struct span){ l->text, len };
	return 0;
}

static int look_at_mappings(struct look *l)
{
	struct span text = { 0 };
	int r = read_text(l, &text);

	while (r >= 0 && l->out.n_vma < VMAS) {
		r = smaps_next(&text, &l->vma[l->out.n_vma]);
		if (r <= 0)
			return r;
		if (span_eq(l->vma[l->out.n_vma].vma.path, "[vsyscall]"))
			continue; /* belongs to no address space */
		l->path_bytes += l->vma[l->out.n_vma++].vma.path.len;
	}
	return r < 0 ? r : -ENOSPC;
}

static uint64_t small_pages(const struct page_region *g)
{
	return ahead_small(g) ? (g->end - g->start) / PAGE_BYTES : 0;
}

/* Up to which region the entries are read at once. */
static size_t neighbours(const struct look *l, size_t i)
{
	const struct page_region *g = l->region;
	uint64_t start = g[i].start;

	while (i + 1 < l->out.n_region && g[i + 1].start - g[i].end <= GAP_PAGES * PAGE_BYTES &&
	       g[i + 1].end - start <= PAGES * PAGE_BYTES)
		i++;
	return i;
}

/* Entries of regions i to last, which begin in l->entry. */
static void take_entries(struct look *l, size_t i, size_t last)
{
	uint64_t start = l->region[i].start;

	for (; i <= last; i++) {
		const struct page_region *g = &l->region[i];

		for (uint64_t at = g->start; ahead_small(g) && at < g->end; at += PAGE_BYTES)
			l->page[l->n_page++] =
				(struct ahead_page){ l->entry[(at - start) / PAGE_BYTES],
						     { 0, 0 } };
	}
}

static int look_at_entries(struct look *l, int pagemap)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->out.n_region; i++)
		n += l->region[i].categories & PAGE_HUGE ? PAGES + 1 : small_pages(&l->region[i]);
	if (n > PAGES)
		return -ENOSPC;
	for (size_t i = 0, last; i < l->out.n_region; i = last + 1) {
		last = i;
		if (!ahead_small(&l->region[i]))
			continue;
		last = neighbours(l, i);
		n = (l->region[last].end - l->region[i].start) / PAGE_BYTES;
		if (pagemap_read(pagemap, l->region[i].start, l->entry, n) != (int)n)
			return -ESRCH;
		take_entries(l, i, last);
	}
	return 0;
}

static void digest_batch(struct look *l)
{
	struct iovec local = { l->bytes, l->run_bytes };
	long n = l->n_run ? sys(SYS_process_vm_readv, l->job->pid, &local, 1, l->iov, l->n_run, 0)
			  : 0;
	size_t at = 0;

	for (size_t i = 0; i < l->n_run; i++)
		for (size_t k = 0; k < l->iov[i].iov_len / PAGE_BYTES; k++, at += PAGE_BYTES)
			if ((long)(at + PAGE_BYTES) <= n)
				l->page[l->first[i] + k].digest = page_digest(
					l->bytes + at, PAGE_BYTES, l->job->argument);
	l->n_run = l->run_bytes = 0;
}

static void add_run(struct look *l, uint64_t start, size_t first, size_t n)
{
	if (!n || n * PAGE_BYTES > RUN_BYTES)
		return;
	if (l->n_run == BATCH_RUNS || l->run_bytes + n * PAGE_BYTES > BATCH_BYTES)
		digest_batch(l);
	l->iov[l->n_run] = (struct iovec){ (void *)(uintptr_t)start, n * PAGE_BYTES };
	l->first[l->n_run++] = first;
	l->run_bytes += n * PAGE_BYTES;
}

/* Pages that nobody else has. */
static void look_at_content(struct look *l)
{
	size_t page = 0;

	for (size_t i = 0; i < l->out.n_region; i++) {
		const struct page_region *g = &l->region[i];
		uint64_t at = g->start, from = at;

		if (!ahead_small(g))
			continue;
		for (; at < g->end; at += PAGE_BYTES, page++) {
			if (l->page[page].entry & PAGEMAP_EXCLUSIVE)
				continue;
			add_run(l, from, page - (at - from) / PAGE_BYTES, (at - from) / PAGE_BYTES);
			from = at + PAGE_BYTES;
		}
		add_run(l, from, page - (at - from) / PAGE_BYTES, (at - from) / PAGE_BYTES);
	}
	digest_batch(l);
}

static int look_at_pages(struct look *l)
{
	_close_ int pagemap = open_file(l, "pagemap");
	uint64_t at = 0, end = l->out.n_vma ? l->vma[l->out.n_vma - 1].vma.end : 0;
	int n = pagemap < 0 ? pagemap : pagemap_scan(pagemap, &at, end, l->region, REGIONS), r;

	if (n < 0 || n == REGIONS)
		return n < 0 ? n : -ENOSPC;
	l->out.n_region = (size_t)n;
	r = look_at_entries(l, pagemap);
	if (!r && l->job->argument)
		look_at_content(l);
	return r;
}

static void look_at_vdso(struct look *l)
{
	_close_ int mem = open_file(l, "mem");

	for (size_t i = 0; mem >= 0 && i < l->out.n_vma; i++) {
		const struct vma_text *v = &l->vma[i].vma;
		const struct vma whole = { .start = v->start, .end = v->end };

		if (!span_eq(v->path, "[vdso]"))
			continue;
		l->own_known = l->own_known || !own_vdso_find(&l->arena, &l->own);
		l->out.vdso_known = l->own_known && !vdso_hash(&l->arena, &l->own, mem, &whole,
							       &l->out.vdso_hash);
		return;
	}
}

static void look_at_auxv(struct look *l)
{
	_close_ int fd = open_file(l, "auxv");
	long n = fd < 0 ? fd : sys(SYS_read, fd, l->auxv, sizeof(l->auxv));

	l->out.auxv_known = n > 0 && n < (long)sizeof(l->auxv);
	l->out.auxv = (struct span){ l->auxv, l->out.auxv_known ? (size_t)n : 0 };
}

/* A file without a name is described each time. */
static void look_at_exe(struct look *l)
{
	char path[32], link[4097];
	uint32_t mnt_id = 0;
	struct stat st;
	long n;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", l->job->pid); /* always fits */
	n = sys_readlink(AT_FDCWD, path, link, sizeof(link));
	if (n <= 0 || n >= (long)sizeof(link) - 1 || sys_stat(AT_FDCWD, path, 0, &st, &mnt_id) ||
	    !st.st_nlink || !mnt_id)
		return;
	l->out.exe_key[0] = page_hash(link, (size_t)n) ^ mnt_id;
	l->out.exe_key[1] = st.st_ino ^ (uint64_t)st.st_dev << 32;
	l->out.exe_known = true;
}

/* Copies n elements to the place where the coordinator sees them. */
static void *hand_over(char **to, const void *from, size_t bytes)
{
	char *at = *to;

	memcpy(at, from, bytes);
	*to += (bytes + 15) & ~(size_t)15;
	return at;
}

static long hand_over_all(struct look *l)
{
	struct ahead *a = (struct ahead *)l->job->to;
	char *to = l->job->to + ((sizeof(*a) + 15) & ~(size_t)15);
	size_t n_page = l->out.pages_known ? l->n_page : 0;
	size_t need = sizeof(*a) + l->out.auxv.len + l->out.n_vma * sizeof(*l->vma) +
		      l->path_bytes + l->out.n_region * sizeof(*l->region) +
		      n_page * sizeof(*l->page) + 16 * (l->out.n_vma + 5);

	if (need > l->job->room)
		return -ENOSPC;
	for (size_t i = 0; i < l->out.n_vma; i++) {
		struct span *path = &l->vma[i].vma.path;

		path->p = hand_over(&to, path->p, path->len);
	}
	l->out.auxv.p = hand_over(&to, l->auxv, l->out.auxv.len);
	l->out.vma = hand_over(&to, l->vma, l->out.n_vma * sizeof(*l->vma));
	l->out.region = hand_over(&to, l->region, l->out.n_region * sizeof(*l->region));
	l->out.page = hand_over(&to, l->page, n_page * sizeof(*l->page));
	*a = l->out;
	return to - l->job->to;
}

long memory_ahead_look(const struct read_ahead_job *j)
{
	struct look *l = (struct look *)j->scratch;
	int r;

	l->job = j;
	l->out = (struct ahead){ 0 };
	l->n_page = l->path_bytes = l->n_run = l->run_bytes = 0;
	r = look_at_mappings(l);
	if (r < 0)
		return r;
	l->out.pages_known = look_at_pages(l) == 0;
	l->out.n_region = l->out.pages_known ? l->out.n_region : 0;
	look_at_vdso(l);
	look_at_auxv(l);
	look_at_exe(l);
	return hand_over_all(l);
}
