/*
 * Reading the images of memory. They are hostile input: every number is checked before anything
 * uses it. Mappings ascend and do not overlap, runs ascend and lie in mappings that have pages,
 * offsets lie in shards, and every page that is used is covered by a checksum; these are compared
 * in core/memory/memory-verify.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/memory/memory-plan.h"
#include "kernel/sys.h"
#include "pagemap.pb-c.h"

#define ADDRESS_TOP 0x0100000000000000ULL
enum { MAX_SHARDS = 64, ALL_FLAGS = 0x7fff };

static int bad(uint32_t mm, const char *what, uint64_t at)
{
	return fail(-EPROTO, "address space %" PRIu32 ": %s at %" PRIx64, mm, what, at);
}

static struct space *space_of(struct restore *r, uint32_t id)
{
	return id < r->memory->n_space ? r->memory->space[id] : NULL;
}

static bool is_page(uint64_t address)
{
	return !(address % PAGE_BYTES) && address <= ADDRESS_TOP;
}

static int read_guards(struct restore *r, uint32_t id, const Vma *m, struct vma *v)
{
	uint64_t last = v->start;

	if (m->n_guard_start != m->n_guard_pages)
		return bad(id, "guard pages without a length", v->start);
	for (size_t i = 0; i < m->n_guard_start; i++) {
		struct range g = { m->guard_start[i], 0 };

		if (!is_page(g.start) || g.start < last || g.start >= v->end ||
		    !m->guard_pages[i] || m->guard_pages[i] > (v->end - g.start) / PAGE_BYTES)
			return bad(id, "guard pages outside of their mapping", g.start);
		last = g.end = g.start + m->guard_pages[i] * PAGE_BYTES;
		*vec_push(&r->arena, &v->guard) = g;
	}
	return 0;
}

static bool is_huge(const Vma *m)
{
	return m->page_shift > 12 && m->page_shift <= 34 &&
	       !((m->start | m->end) & ((1ull << m->page_shift) - 1));
}

static int check_vma(struct restore *r, uint32_t id, const Vma *m, const struct vma *last)
{
	const struct mem_kind *k =
		m->kind >= 0 && (int)m->kind < VMA_KINDS ? mem_kind_find((uint8_t)m->kind) : NULL;

	if (!is_page(m->start) || !is_page(m->end) || m->start >= m->end)
		return bad(id, "a mapping with a wrong range", m->start);
	if (last && m->start < last->end)
		return bad(id, "overlapping mappings", m->start);
	if (!k)
		return bad(id, "a mapping of a kind that this version does not know", m->start);
	if (m->prot > 7 || (m->flags & ~(uint32_t)ALL_FLAGS) || m->offset % PAGE_BYTES ||
	    m->offset >> 62)
		return bad(id, "a mapping with wrong attributes", m->start);
	if ((k->descriptor != NULL) != m->has_object ||
	    (m->has_object && m->object >= r->memory->object[k->number].n))
		return bad(id, "a mapping of a missing object", m->start);
	if ((m->kind == VMA__KIND__HUGETLB) != m->has_page_shift ||
	    (m->has_page_shift && !is_huge(m)))
		return bad(id, "a mapping of wrong huge pages", m->start);
	if ((m->kind == VMA__KIND__AIO || m->kind == VMA__KIND__SYSV) && !m->shared)
		return bad(id, "a private mapping of what can only be shared", m->start);
	if (m->kind == VMA__KIND__SPECIAL && !m->name)
		return bad(id, "a special mapping without a name", m->start);
	return m->name && strlen(m->name) > 255
		       ? bad(id, "a mapping with too long a name", m->start)
		       : 0;
}

static int read_vma(void *c, uint32_t id, const ProtobufCMessage *msg)
{
	struct restore *r = c;
	const Vma *m = (const Vma *)msg;
	struct space *s = space_of(r, id);
	struct vma *last, *v;
	int e;

	if (!s)
		return fail(-EPROTO, "mappings of address space %" PRIu32 ", which no task has",
			    id);
	last = s->mm.vma.n ? &s->mm.vma.v[s->mm.vma.n - 1] : NULL;
	e = check_vma(r, id, m, last);
	if (e)
		return e;
	v = vec_push(&r->arena, &s->mm.vma);
	*v = (struct vma){ .start = m->start,
			   .end = m->end,
			   .offset = m->offset,
			   .flags = m->flags,
			   .object = m->has_object ? m->object : NO_OBJECT,
			   .kind = (uint8_t)m->kind,
			   .prot = (uint8_t)m->prot,
			   .page_shift = (uint8_t)m->page_shift,
			   .shared = m->shared,
			   .name = m->name };
	return read_guards(r, id, m, v);
}

static int read_mm(struct restore *r, uint32_t id, const ProtobufCMessage *msg)
{
	struct space *s = space_of(r, id);

	if (!s || s->msg)
		return fail(-EPROTO, "address space %" PRIu32 " is described twice or of no task",
			    id);
	s->msg = (const Mm *)msg;
	return s->msg->auxv.len > 4096 || s->msg->auxv.len % 16
		       ? bad(id, "a wrong auxiliary vector", 0)
		       : 0;
}

static int read_mms(struct restore *r)
{
	const ProtobufCMessage *m;
	struct image *i;
	uint32_t id;
	int e = image_open(r->set, "mm", &i), n = 1;

	if (e)
		return e == -ENOENT ? 0 : e;
	while (!e && (n = image_next_alike(i, &mm__descriptor, &id, &m)) > 0)
		e = read_mm(r, id, m);
	return e ?: n;
}

static int check_pagemap(struct restore *r, uint32_t id, const Pagemap *p)
{
	if (p->shard >= MAX_SHARDS)
		return bad(id, "pages in a shard with a wrong number", p->shard);
	if (p->n_pages != p->n_address || p->n_offset != p->n_address ||
	    p->n_flags != p->n_address || p->n_extent_pages != p->n_extent_offset ||
	    p->n_extent_hash != p->n_extent_offset)
		return bad(id, "a page map of unequal lists", 0);
	while (r->memory->shard.n <= p->shard) {
		uint64_t size;
		int fd, e = page_store_open(r->set, (uint32_t)r->memory->shard.n, &fd);

		if (e)
			return e;
		e = io_size(fd, &size);
		if (e)
			return fail(e, "size of shard %zu of the pages", r->memory->shard.n);
		*vec_push(&r->arena, &r->memory->shard) = fd;
		*vec_push(&r->arena, &r->memory->shard_size) = size;
		*vec_push(&r->arena, &r->memory->shard_known) = 0;
	}
	return 0;
}

/* Runs of one record. `limit`: where the last run of the same mm ended. */
static int read_runs(struct restore *r, struct mm *m, const Pagemap *p)
{
	uint64_t size = r->memory->shard_size.v[p->shard];
	uint64_t last = m->run.n ? m->run.v[m->run.n - 1].end : 0;

	for (size_t i = 0; i < p->n_address; i++) {
		uint64_t start = p->address[i], n = p->pages[i], at = p->offset[i];

		if (!is_page(start) || start < last || !n || n > (ADDRESS_TOP - start) / PAGE_BYTES)
			return bad(m->id, "pages in wrong order", start);
		if (at % PAGE_BYTES || at > size || n > (size - at) / PAGE_BYTES)
			return bad(m->id, "pages outside of their shard", start);
		last = start + n * PAGE_BYTES;
		*vec_push(&r->arena, &m->run) =
			(struct run){ start, last, (uint64_t)p->shard << RUN_SHARD_BITS | at,
				      p->flags[i] };
	}
	return 0;
}

/* Checksums are for the next pages of the shard, without a gap; they are compared later. */
static int read_checksums(struct restore *r, uint32_t id, const Pagemap *p)
{
	uint64_t size = r->memory->shard_size.v[p->shard];
	uint64_t *known = &r->memory->shard_known.v[p->shard];

	for (size_t i = 0; i < p->n_extent_offset; i++) {
		uint64_t offset = p->extent_offset[i], n = p->extent_pages[i];

		if (offset != *known || offset > size || n > (size - offset) / PAGE_BYTES)
			return bad(id, "a checksum for other pages than the next ones of the shard",
				   offset);
		*vec_push(&r->arena, &r->memory->checksum) = (struct checksum){
			p->extent_hash[i], offset, n * PAGE_BYTES, p->shard, id
		};
		*known += n * PAGE_BYTES;
		r->memory->unverified += n * PAGE_BYTES;
	}
	return 0;
}

static int read_pagemap(void *c, uint32_t id, const ProtobufCMessage *msg)
{
	struct restore *r = c;
	const Pagemap *p = (const Pagemap *)msg;
	struct space *s = space_of(r, id);

	if (!s)
		return fail(-EPROTO, "pages of address space %" PRIu32 ", which no task has", id);
	s->mm.id = id;
	return check_pagemap(r, id, p) ?: read_runs(r, &s->mm, p) ?: read_checksums(r, id, p);
}

static int read_content(void *context, uint32_t id, const ProtobufCMessage *msg)
{
	struct restore *r = context;
	const Pagemap *p = (const Pagemap *)msg;
	struct mem_plan *m = r->memory;
	struct mm *c = m->content.n ? &m->content.v[m->content.n - 1] : NULL;

	if (!c || c->id != id) {
		if (c && c->id > id)
			return fail(-EPROTO, "shared memory %" PRIu32 " is out of order", id);
		c = vec_push(&r->arena, &m->content);
		c->id = id;
	}
	return check_pagemap(r, id, p) ?: read_runs(r, c, p) ?: read_checksums(r, id, p);
}

struct object_reader {
	struct restore *r;
	const struct mem_kind *kind;
};

static int read_object(void *c, uint32_t id, const ProtobufCMessage *m)
{
	const struct object_reader *o = c;
	struct mem_plan *p = o->r->memory;

	if (id != p->object[o->kind->number].n)
		return fail(-EPROTO, "image '%s': number %" PRIu32 " is out of order",
			    o->kind->name, id);
	*vec_push(&o->r->arena, &p->object[o->kind->number]) =
		(struct mem_object){ .id = id, .kind = o->kind, .msg = m, .fd = -1 };
	return 0;
}

static int read_objects(struct restore *r, const struct mem_kind *k)
{
	return image_each(r->set, k->name, k->descriptor, read_object,
			  &(struct object_reader){ r, k });
}

/* Every run lies in mappings that take pages. */
static int check_runs(const struct space *s)
{
	size_t v = 0;

	vec_foreach(run, &s->mm.run) {
		for (uint64_t at = run->start; at < run->end; at = s->mm.vma.v[v].end) {
			while (v < s->mm.vma.n && s->mm.vma.v[v].end <= at)
				v++;
			if (v == s->mm.vma.n || s->mm.vma.v[v].start > at ||
			    !vma_has_pages(&s->mm.vma.v[v]))
				return bad(s->mm.id, "pages where no mapping takes them", at);
		}
	}
	return 0;
}

static int check_covered(const struct mem_plan *m)
{
	for (size_t i = 0; i < m->shard.n; i++)
		if (m->shard_known.v[i] != m->shard_size.v[i])
			return fail(-EPROTO, "shard %zu of the pages has parts without a checksum",
				    i);
	return 0;
}

int memory_read_images(struct restore *r)
{
	int e = 0;

	for (size_t i = 0; !e && mem_kinds[i]; i++)
		if (mem_kinds[i]->descriptor)
			e = read_objects(r, mem_kinds[i]);
	e = e ?: read_mms(r);
	e = e ?: image_each(r->set, "vma", &vma__descriptor, read_vma, r);
	e = e ?: image_each(r->set, "pagemap", &pagemap__descriptor, read_pagemap, r);
	e = e ?: image_each(r->set, "shmem_pages", &pagemap__descriptor, read_content, r);
	e = e ?: check_covered(r->memory);
	for (size_t i = 0; !e && i < r->memory->n_space; i++) {
		struct space *s = r->memory->space[i];

		if (s && !s->msg)
			e = fail(-EPROTO, "address space %zu is not described", i);
		else if (s)
			e = check_runs(s);
	}
	return e;
}
