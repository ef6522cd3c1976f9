/*
 * The planner of memory. Random families of address spaces are planned, and the plan is carried out
 * in a model of fork: every space must end with exactly its own pages, and pages that were the same
 * must be the same again where one ancestor could load them. Hostile images must be refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "core/build/birth.h"
#include "core/file/file.h"
#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"
#include "pagemap.pb-c.h"

extern const struct mem_kind kind_special, kind_shmem, kind_mapped_file, kind_anon;
const struct mem_kind *const mem_kinds[] = { &kind_special, &kind_shmem, &kind_mapped_file,
					     &kind_anon, NULL };
const struct task_kind *const task_kinds[] = { NULL };
const struct fd_kind *const fd_kinds[] = { NULL };

enum { PAGES = 48, SPACES = 7 };
#define BASE 0x200000000000ULL

static unsigned int seed;
static int passed, failed;

static int rnd(int n)
{
	seed = seed * 1103515245 + 12345;
	return (int)(seed >> 16) % n;
}

static void result(bool ok, const char *what, int number)
{
	ok ? passed++ : failed++;
	if (!ok)
		(void)printf("not ok: %s %d\n", what, number);
}

/* --- families -----------------------------------------------------------------------------------
 */
struct model {
	uint64_t page[PAGES]; /* content + 1; 0: none. Content is the offset in the store */
	uint64_t frame[PAGES];
	int border; /* pages from here on belong to a second, read-only mapping; 0: none */
};
static uint64_t next_content, next_frame;

static void write_page(struct model *m, int i)
{
	m->page[i] = (next_content += PAGE_BYTES) + 1;
	m->frame[i] = ++next_frame;
}

static void live(struct model *m)
{
	for (int i = rnd(40); i > 0; i--)
		write_page(m, rnd(PAGES));
	for (int i = rnd(6); i > 0; i--)
		m->page[rnd(PAGES)] = 0;
	if (!rnd(3))
		m->border = rnd(PAGES);
}

static void add_vma(struct restore *r, struct space *s, int from, int to, int prot)
{
	if (from < to)
		*vec_push(&r->arena, &s->mm.vma) =
			(struct vma){ .start = BASE + (uint64_t)from * PAGE_BYTES,
				      .end = BASE + (uint64_t)to * PAGE_BYTES,
				      .object = NO_OBJECT,
				      .kind = VMA__KIND__ANON,
				      .prot = (uint8_t)prot };
}

static void describe(struct restore *r, struct space *s, const struct model *m)
{
	add_vma(r, s, 0, m->border ? m->border : PAGES, 3);
	if (m->border)
		add_vma(r, s, m->border, PAGES, 1);
	for (int i = 0; i < PAGES; i++)
		if (m->page[i])
			*vec_push(&r->arena, &s->mm.run) =
				(struct run){ BASE + (uint64_t)i * PAGE_BYTES,
					      BASE + (uint64_t)(i + 1) * PAGE_BYTES, m->page[i] - 1,
					      PAGEMAP__FLAG__SHARED };
}

static void add_task(struct restore *r, int i, int maker)
{
	struct task *t = arena_new(&r->arena, struct task);
	struct birth *b = arena_new(&r->arena, struct birth);

	t->index = t->mm = (uint32_t)i;
	b->task = t;
	b->index = (uint32_t)i;
	b->maker = maker < 0 ? NULL : r->births->all.v[maker];
	*vec_push(&r->arena, &r->tree.task) = t;
	*vec_push(&r->arena, &r->births->all) = b;
	r->memory->space[i] = arena_new(&r->arena, struct space);
	r->memory->space[i]->task = t;
	r->memory->space[i]->mm.id = (uint32_t)i;
}

/* Runs of [start, end) set pages of the model; a fresh frame each, as a read of the store gives. */
static void set_pages(struct model *m, const struct run *run)
{
	for (uint64_t at = run->start; at < run->end; at += PAGE_BYTES) {
		m->page[(at - BASE) / PAGE_BYTES] = run->at + (at - run->start) + 1;
		m->frame[(at - BASE) / PAGE_BYTES] = ++next_frame;
	}
}

static void clear_pages(struct model *m, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at += PAGE_BYTES)
		m->page[(at - BASE) / PAGE_BYTES] = 0;
}

static bool in_pieces(const struct space *s, uint64_t at)
{
	vec_foreach(p, &s->piece)
		if (p->start <= at && at < p->end)
			return true;
	return false;
}

/* What the task does before it forks, then its program. */
static void run_space(const struct space *s, struct model *before, struct model *ret)
{
	vec_foreach(g, &s->made)
		clear_pages(before, (*g)->start, (*g)->end);
	vec_foreach(run, &s->load)
		set_pages(before, run);
	*ret = *before;
	for (int i = 0; i < PAGES; i++)
		if (!in_pieces(s, BASE + (uint64_t)i * PAGE_BYTES))
			ret->page[i] = 0;
	vec_foreach(d, &s->drop)
		clear_pages(ret, d->start, d->end);
	vec_foreach(run, &s->fill)
		set_pages(ret, run);
}

static int make_family(struct restore *r, struct model *wanted, int *maker)
{
	for (int i = 0; i < SPACES; i++) {
		maker[i] = i ? rnd(i) : -1;
		if (i)
			wanted[i] = wanted[maker[i]]; /* fork */
		live(&wanted[i]);
		if (i && rnd(2))
			live(&wanted[maker[i]]);
		add_task(r, i, maker[i]);
	}
	for (int i = 0; i < SPACES; i++)
		describe(r, r->memory->space[i], &wanted[i]);
	return memory_plan_family(r);
}

/* Whether somebody has another page at that address: then they may have had the first word. */
static bool contested(const struct model *wanted, int p, uint64_t content)
{
	for (int k = 0; k < SPACES; k++)
		if (wanted[k].page[p] && wanted[k].page[p] != content)
			return true;
	return false;
}

/* What a child and its maker share, and nobody contests, must be shared again. */
static bool sharing_right(const struct model *wanted, const struct model *got, const int *maker,
			  int i)
{
	int m = maker[i];

	for (int p = 0; m >= 0 && p < PAGES; p++) {
		uint64_t content = wanted[i].page[p];

		if (content && content == wanted[m].page[p] && got[i].frame[p] != got[m].frame[p] &&
		    !contested(wanted, p, content))
			return false;
	}
	return true;
}

static void test_family(int number)
{
	struct restore *r = &(struct restore){ 0 };
	struct model wanted[SPACES] = { 0 }, before[SPACES] = { 0 }, got[SPACES] = { 0 };
	int maker[SPACES];
	bool ok;

	arena_init(&r->arena);
	r->memory = arena_new(&r->arena, struct mem_plan);
	r->memory->n_space = SPACES;
	r->memory->space = arena_array(&r->arena, struct space *, SPACES);
	r->births = arena_new(&r->arena, struct birth_plan);
	seed = (unsigned int)number;
	live(&wanted[0]);
	ok = !make_family(r, wanted, maker);
	for (int i = 0; ok && i < SPACES; i++) {
		memory_plan_rest(r, r->memory->space[i]);
		if (i)
			before[i] = before[maker[i]];
		run_space(r->memory->space[i], &before[i], &got[i]);
		ok = !memcmp(got[i].page, wanted[i].page, sizeof(got[i].page));
	}
	for (int i = 0; ok && i < SPACES; i++)
		ok = sharing_right(wanted, got, maker, i);
	result(ok, "family", number);
	arena_deinit(&r->arena);
}

/* --- hostile images -----------------------------------------------------------------------------
 */
struct pieces {
	Vma vma[2];
	Pagemap map;
	Mm mm;
	uint64_t address[2], pages[2], offset[2], extent_offset[1], extent_pages[1], extent_hash[1];
	uint32_t flags[2];
	uint64_t half; /* hash of the first page */
};

static void fill_map(struct pieces *p, const char *content)
{
	*p = (struct pieces){ .map = PAGEMAP__INIT,
			      .mm = MM__INIT,
			      .address = { BASE, BASE + 2 * PAGE_BYTES },
			      .pages = { 1, 1 },
			      .offset = { 0, PAGE_BYTES },
			      .extent_pages = { 2 } };
	p->extent_hash[0] = page_hash(content, 2 * PAGE_BYTES);
	p->half = page_hash(content, PAGE_BYTES);
	p->map.n_address = p->map.n_pages = p->map.n_offset = p->map.n_flags = 2;
	p->map.address = p->address;
	p->map.pages = p->pages;
	p->map.offset = p->offset;
	p->map.flags = p->flags;
	p->map.n_extent_offset = p->map.n_extent_pages = p->map.n_extent_hash = 1;
	p->map.extent_offset = p->extent_offset;
	p->map.extent_pages = p->extent_pages;
	p->map.extent_hash = p->extent_hash;
	for (int i = 0; i < 2; i++) {
		p->vma[i] = (Vma)VMA__INIT;
		p->vma[i].start = BASE + (uint64_t)i * 2 * PAGE_BYTES;
		p->vma[i].end = p->vma[i].start + 2 * PAGE_BYTES;
		p->vma[i].prot = 3;
	}
}

static int write_images(struct arena *a, int dirfd, struct pieces *p, const char *content)
{
	struct iovec iov = { (void *)(uintptr_t)content, 2 * PAGE_BYTES };
	struct image_set *set;
	struct page_store *store;
	struct image *i;
	uint64_t offset, hash;
	int e = image_set_create(a, dirfd, IMAGE_SET_REPLACE, &set);

	e = e ?: image_create(set, "mm", &i);
	e = e ?: image_append(i, 0, &p->mm.base);
	e = e ?: image_finish(i);
	e = e ?: image_create(set, "vma", &i);
	for (int k = 0; !e && k < 2; k++)
		e = image_append(i, 0, &p->vma[k].base);
	e = e ?: image_finish(i);
	e = e ?: image_create(set, "pagemap", &i);
	e = e ?: image_append(i, 0, &p->map.base);
	e = e ?: image_finish(i);
	e = e ?: page_store_create(set, 0, &store);
	e = e ?: page_store_append(store, &iov, 1, &offset, &hash);
	e = e ?: page_store_finish(store);
	e = e ?: image_set_commit(set);
	if (!e)
		image_set_close(set);
	return e;
}

static int read_back(struct arena *a, int dirfd)
{
	struct restore *r = &(struct restore){ .arena = *a };
	int e = image_set_open(&r->arena, dirfd, &r->set);

	r->memory = arena_new(&r->arena, struct mem_plan);
	r->memory->n_space = 1;
	r->memory->space = arena_array(&r->arena, struct space *, 1);
	r->memory->space[0] = arena_new(&r->arena, struct space);
	e = e ?: memory_read_images(r) ?: memory_verify(r);
	memory_close(r);
	if (r->set)
		image_set_close(r->set);
	*a = r->arena;
	return e;
}

/* Each makes one thing wrong. */
static void spoil(struct pieces *p, int what)
{
	switch (what) {
	case 1: p->vma[1].start -= PAGE_BYTES; break;          /* overlap */
	case 2: p->vma[1].end = p->vma[1].start; break;        /* empty */
	case 3: p->vma[1].end = UINT64_MAX - 4095; break;      /* no such address */
	case 4: p->vma[0].start += 1; break;                   /* not aligned */
	case 5: p->vma[0].prot = 64; break;
	case 6: p->vma[0].flags = 1u << 31; break;
	case 7: p->vma[0].kind = VMA__KIND__FILE; break;       /* without an object */
	case 8: p->vma[0].has_object = 1; break;               /* anonymous with one */
	case 9: p->vma[0].kind = VMA__KIND__SPECIAL; break;    /* without a name */
	case 10: p->address[1] = BASE; break;                  /* the same page twice */
	case 11: p->address[1] = BASE + 4 * PAGE_BYTES; break; /* in no mapping */
	case 12: p->pages[1] = 1ULL << 60; break;
	case 13: p->pages[1] = 0; break;
	case 14: p->offset[1] = 2 * PAGE_BYTES; break;         /* behind the end of the shard */
	case 15: p->offset[1] = UINT64_MAX - 4095; break;
	case 16: p->map.n_flags = 1; break;
	case 17: p->map.shard = 63; break;
	case 18: p->extent_hash[0]++; break;
	case 19: p->extent_pages[0] = 1ULL << 52; break;
	case 20: p->mm.auxv.len = 8; p->mm.auxv.data = (uint8_t *)p->address; break;
	case 21: p->vma[0].shared = 1; break; /* private pages of a shared mapping */
	case 22: p->extent_pages[0] = 1; p->extent_hash[0] = p->half; break; /* half is checked */
	default: break;
	}
}

static void test_hostile(int dirfd)
{
	static char content[2 * PAGE_BYTES];
	enum { CASES = 23 };

	memset(content, 7, sizeof(content));
	for (int what = 0; what < CASES; what++) {
		struct pieces p;
		struct arena a;
		int e;

		arena_init(&a);
		fill_map(&p, content);
		spoil(&p, what);
		e = write_images(&a, dirfd, &p, content);
		e = e ?: read_back(&a, dirfd);
		result(what ? e < 0 : e == 0, "hostile image", what);
		arena_deinit(&a);
	}
}

int main(void)
{
	char path[] = "/tmp/memory-plan-XXXXXX", clean[64];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), dirfd;

	log_setup(&(struct log_config){ .fd = null, .level = LOG_ERROR });
	for (int i = 1; i <= 400; i++)
		test_family(i);
	if (!mkdtemp(path))
		return 1;
	dirfd = open(path, O_DIRECTORY | O_CLOEXEC);
	test_hostile(dirfd);
	(void)close(dirfd); /* only read from */
	(void)snprintf(clean, sizeof(clean), "rm -r %s", path);
	failed += system(clean) != 0;
	(void)printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
