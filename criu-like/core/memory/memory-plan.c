/*
 * The plan for memory: which objects each task needs, at which numbers their descriptors will be,
 * what its program reads, and where there is room for the tool's own area that no target and
 * the tool itself do not use.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/io.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"
#include "kernel/sys.h"

/* Above what 32-bit pointers reach, so that MAP_32BIT and low fixed mappings of a target stay free.
 */
#define LOWEST_HOLE 0x100000000ULL
#define HIGHEST_HOLE 0x7fff00000000ULL
enum { VERIFY_NOW = 32 << 20 }; /* bytes; some milliseconds */

extern const char blob_start[], blob_end[]; /* pie/blob.S */

static struct space *space_new(struct restore *r, const struct task *t)
{
	struct space *s = arena_new(&r->arena, struct space);

	s->task = t;
	s->mm.id = t->index;
	s->first_fd = -1;
	return s;
}

static struct mem_object *object_of(struct mem_plan *p, const struct vma *v)
{
	return v->object == NO_OBJECT ? NULL : &p->object[v->kind].v[v->object];
}

int source_fd(const struct mem_plan *p, const struct space *s, const struct vma *v)
{
	const struct mem_object *o = object_of((struct mem_plan *)(uintptr_t)p, v);

	for (size_t i = 0; o && i < s->source.n; i++)
		if (s->source.v[i] == o)
			return s->first_fd + (int)i;
	return -1;
}

/* Each object once; asks its kind whether it can be had. */
static int plan_sources(struct restore *r, struct space *s)
{
	struct map known;

	map_init(&known, &r->arena);
	vec_foreach(v, &s->mm.vma) {
		struct mem_object *o = object_of(r->memory, v);
		int e = 0;

		if (!o || map_get(&known, (uintptr_t)o, 0))
			continue;
		map_put(&known, (uintptr_t)o, 0, o);
		if (!o->kind->attach)
			*vec_push(&r->arena, &s->source) = o;
		if (o->kind->plan && !o->kind->create && !o->planned)
			e = o->kind->plan(r, s->task, o);
		o->planned = !e;
		if (e && e != -ENOTSUP)
			return e;
	}
	return 0;
}

static int plan_vdso(struct restore *r, const struct space *s)
{
	const struct own_vdso *own = &r->memory->vdso;

	vec_foreach(v, &s->mm.vma) {
		const struct special *part = NULL;

		if (v->kind != VMA__KIND__SPECIAL)
			continue;
		vec_foreach(p, &own->part)
			if (!strcmp(p->name, v->name) && p->end - p->start == v->end - v->start)
				part = p;
		if (part && (strcmp(v->name, "[vdso]") || own->hash == s->msg->vdso_hash))
			continue;
		return refuse(
			&r->blockers, s->task->pid, v->name,
			"this kernel's is not the same, so addresses inside it would be wrong",
			"restore under the kernel that the tasks were dumped under");
	}
	return 0;
}

static int plan_space(struct restore *r, struct space *s)
{
	int e = plan_sources(r, s);

	if (!e && s->msg->exe && s->msg->exe != r->memory->exe)
		e = inode_check(r, s->task, s->msg->exe, "executable");
	r->memory->exe = e ? NULL : s->msg->exe;
	(void)plan_vdso(r, s); /* what it finds is reported with all else */
	if (e && e != -ENOTSUP)
		return e;
	memory_plan_rest(r, s);
	e = memory_plan_attached(r, s);
	if (e && e != -ENOTSUP)
		return e;
	s->n_fd = (int)(s->source.n + r->memory->shard.n) + (s->msg->exe != NULL);
	s->first_fd = s->n_fd ? files_reserve(r, s->task, (unsigned int)s->n_fd) : 0;
	return s->first_fd < 0 ? s->first_fd : 0;
}

/* What the coordinator makes, whoever needs it. */
static int plan_objects(struct restore *r)
{
	int e = 0;

	for (size_t k = 0; k < array_size(r->memory->object); k++) {
		vec_foreach(o, &r->memory->object[k]) {
			if (!o->kind->create || !o->kind->plan || (e && e != -ENOTSUP))
				continue;
			e = o->kind->plan(r, NULL, o);
		}
	}
	return e == -ENOTSUP ? 0 : e;
}

int memory_read(struct restore *r)
{
	struct mem_plan *p = arena_new(&r->arena, struct mem_plan);
	int e;

	r->memory = p;
	p->n_space = r->tree.task.n;
	p->space = arena_array(&r->arena, struct space *, p->n_space);
	vec_foreach(t, &r->tree.task)
		if ((*t)->state != TASK_ZOMBIE && (*t)->mm == (*t)->index)
			p->space[(*t)->index] = space_new(r, *t);
	e = own_vdso_find(&r->arena, &p->vdso) ?: memory_read_images(r);
	if (!e && p->unverified <= VERIFY_NOW)
		e = memory_verify(r);
	return e ?: plan_objects(r);
}

int memory_plan(struct restore *r)
{
	struct mem_plan *p = r->memory;
	int e = memory_plan_family(r);

	for (size_t i = 0; !e && i < p->n_space; i++)
		if (p->space[i])
			e = plan_space(r, p->space[i]);
	return e ?: memory_plan_huge(r);
}

int memory_set_brk(struct restore *r, const struct task *t, uint64_t brk)
{
	struct space *s = t->index < r->memory->n_space ? r->memory->space[t->index] : NULL;

	if (!s || brk < s->msg->start_brk)
		return fail(-EPROTO, "task %d has a wrong program break", t->pid);
	s->brk = brk;
	return 0;
}

int memory_set_lock_future(struct restore *r, const struct task *t, uint32_t flags)
{
	struct space *s = t->index < r->memory->n_space ? r->memory->space[t->index] : NULL;

	if (!s || (flags && flags != MCL_FUTURE && flags != (MCL_FUTURE | MCL_ONFAULT)))
		return fail(-EPROTO, "task %d has wrong locks of mappings to come", t->pid);
	s->lock_future = flags;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The mappings of the tool itself. */
static int own_ranges(struct restore *r, struct range **v, size_t *n, size_t *cap)
{
	struct vma_text line;
	struct span text;
	int e = io_slurp_at(&r->arena, -1, "/proc/self/maps", &text);

	if (e)
		return fail(e, "read /proc/self/maps");
	while ((e = maps_next(&text, &line)) > 0) {
		*v = vec_reserve(&r->arena, *v, *n, cap, sizeof(**v));
		(*v)[(*n)++] = (struct range){ line.start, line.end };
	}
	return e ? fail(e, "the text of /proc/self/maps is not understood") : 0;
}

/* What its mapping needs free, which may be more than it is. */
static struct range range_of(const struct mem_plan *p, const struct vma *v)
{
	struct attachment a;

	if (!vma_is_attached(p, v))
		return (struct range){ v->start, v->end };
	a = attachment_of(p, v);
	return (struct range){ a.base, a.end };
}

/* The first gap between the ranges (sorted here) that is long enough; 0: none. */
static uint64_t find_gap(struct range *v, size_t n, uint64_t len)
{
	uint64_t at = LOWEST_HOLE;

	qsort(v, n, sizeof(*v), by_start);
	for (size_t i = 0; i < n && v[i].start < at + len + PAGE_BYTES; i++)
		if (v[i].end + PAGE_BYTES > at)
			at = v[i].end + PAGE_BYTES;
	return at + len < HIGHEST_HOLE ? at : 0;
}

int memory_find_room(struct restore *r, uint64_t len, uint64_t *ret_base)
{
	VEC(struct range) used = { 0 };
	int e = own_ranges(r, &used.v, &used.n, &used.cap);
	uint64_t base;

	if (e)
		return e;
	for (size_t i = 0; i < r->memory->n_space; i++) {
		const struct space *s = r->memory->space[i];

		for (size_t k = 0; s && k < s->mm.vma.n; k++)
			*vec_push(&r->arena, &used) = range_of(r->memory, &s->mm.vma.v[k]);
	}
	base = find_gap(used.v, used.n, len);
	if (!base)
		return fail(-ENOTSUP, "no address range of %" PRIu64 " bytes is free in all tasks",
			    len);
	*ret_base = base;
	return 0;
}

/* The vdso is parked behind the area; its place is kept free from now on. */
int memory_find_hole(struct restore *r, uint64_t len, uint64_t *ret_base)
{
	uint64_t whole = (len + 2 * PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES, base;
	int e = memory_find_room(r, whole + r->memory->vdso.len, &base);
	long at;

	if (e)
		return e;
	r->memory->park_base = base + whole;
	r->memory->hole_len = len;
	at = r->memory->vdso.len
		     ? sys(SYS_mmap, base + whole, r->memory->vdso.len, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0)
		     : 0;
	if (at < 0)
		return fail(at, "keep room for the vdso at %" PRIx64, base + whole);
	*ret_base = base;
	return 0;
}

int memory_syscall_address(struct restore *r, const struct task *t, uint64_t *ret)
{
	const struct space *s = r->memory->space[t->mm];
	const char *found;

	vec_foreach(v, &s->mm.vma)
		if (v->kind == VMA__KIND__SPECIAL && !strcmp(v->name, "[vdso]") &&
		    r->memory->vdso.syscall_offset != UINT64_MAX)
			return *ret = v->start + r->memory->vdso.syscall_offset, 0;
	found = memmem(blob_start, (size_t)(blob_end - blob_start), "\x0f\x05", 2);
	if (!found)
		return -ENOENT;
	*ret = r->area_base + (uint64_t)(found - blob_start);
	return 0;
}
