/*
 * What is done for memory outside of the blob: the coordinator makes shared objects before the
 * first fork; each task puts descriptors for its program at the reserved numbers. What the
 * coordinator has open is inherited over the fork and copied there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"
#include "kernel/sys.h"
#include "pagemap.pb-c.h"

static const struct mm *content_of(const struct restore *r, uint32_t id)
{
	vec_foreach(m, &r->memory->content)
		if (m->id == id)
			return m;
	return NULL; /* nothing but holes */
}

int memory_check_content(struct restore *r, uint32_t id, uint64_t size)
{
	const struct mm *c = content_of(r, id);

	return !c || !c->run.n || c->run.v[c->run.n - 1].end < size + PAGE_BYTES
		       ? 0
		       : fail(-EPROTO, "shared memory %" PRIu32 " has pages behind its end", id);
}

int memory_load_content(struct restore *r, uint32_t id, char *memory, uint64_t size)
{
	const struct mm *c = content_of(r, id);

	for (size_t i = 0; c && i < c->run.n; i++) {
		const struct run *run = &c->run.v[i];
		int fd = r->memory->shard.v[run->at >> RUN_SHARD_BITS];
		int e;

		if (run->end > size)
			return fail(-EPROTO, "shared memory %" PRIu32 " has pages behind its end",
				    id);
		e = io_pread(fd, memory + run->start, run->end - run->start,
			     run->at & ((1ULL << RUN_SHARD_BITS) - 1));
		if (e)
			return fail(e, "read content of shared memory %" PRIu32, id);
	}
	return 0;
}

/* What tasks will copy from must not lie where one of them puts something. */
static int move_away_all(struct restore *r)
{
	int e = 0;

	for (size_t k = 0; k < array_size(r->memory->object); k++)
		vec_foreach(o, &r->memory->object[k])
			e = e ?: files_move_away(r, &o->fd);
	vec_foreach(fd, &r->memory->shard)
		e = e ?: files_move_away(r, fd);
	return e;
}

int memory_create(struct restore *r)
{
	for (size_t k = 0; k < array_size(r->memory->object); k++) {
		vec_foreach(o, &r->memory->object[k]) {
			if (!o->kind->create)
				break;
			if (o->fd < 0)
				o->fd = o->kind->create(r, o);
			if (o->fd < 0)
				return o->fd;
		}
	}
	return move_away_all(r);
}

void memory_close(struct restore *r)
{
	if (!r->memory)
		return;
	for (size_t k = 0; k < array_size(r->memory->object); k++)
		vec_foreach(o, &r->memory->object[k])
			fd_close(&o->fd);
	vec_foreach(fd, &r->memory->shard)
		fd_close(fd);
}

/* Moves `fd` to its number; what we made for it goes. */
static int put(int fd, int number, bool ours)
{
	long r;

	if (fd == number)
		return 0;
	r = sys(SYS_dup3, fd, number, O_CLOEXEC);
	if (ours)
		fd_close(&fd);
	return r < 0 ? fail(r, "duplicate a descriptor to %d", number) : 0;
}

/* Our own descriptors that lie where a reserved number is go out of the way first. */
static int evacuate(int *fd, const struct space *s)
{
	long n;

	if (*fd < s->first_fd || *fd >= s->first_fd + s->n_fd)
		return 0;
	n = sys(SYS_fcntl, *fd, F_DUPFD_CLOEXEC, s->first_fd + s->n_fd);
	if (n < 0)
		return fail(n, "duplicate a descriptor above %d", s->first_fd + s->n_fd);
	*fd = (int)n;
	return 0;
}

static int evacuate_all(struct restore *r, const struct space *s)
{
	int e = 0;

	for (size_t k = 0; k < array_size(r->memory->object); k++)
		vec_foreach(o, &r->memory->object[k])
			e = e ?: evacuate(&o->fd, s);
	vec_foreach(fd, &r->memory->shard)
		e = e ?: evacuate(fd, s);
	return e;
}

static int open_sources(struct restore *r, const struct space *s)
{
	for (size_t i = 0; i < s->source.n; i++) {
		const struct mem_object *o = s->source.v[i];
		int fd = o->fd >= 0 ? o->fd : o->kind->open(r, o);
		int e = fd < 0 ? fd : put(fd, s->first_fd + (int)i, o->fd < 0);

		if (e)
			return e;
	}
	return 0;
}

int memory_apply(struct self *self)
{
	struct restore *r = self->r;
	const struct space *s = r->memory->space[self->task->index];
	int e, fd;

	if (!s) /* shares the mm of another task, or is dead */
		return 0;
	e = evacuate_all(r, s) ?: open_sources(r, s);
	for (size_t i = 0; !e && i < r->memory->shard.n; i++)
		e = put(r->memory->shard.v[i], s->first_fd + (int)(s->source.n + i), false);
	if (e || !s->msg->exe)
		return e;
	fd = inode_open(r, s->msg->exe, O_RDONLY);
	return fd < 0 ? fail(fd, "open the executable '%s'", s->msg->exe->path)
		      : put(fd, exe_fd(s), true);
}

static int map_segment(struct restore *r, const struct segment *g)
{
	const struct vma *like = g->like;
	_close_ int fd = -1;
	const struct mem_object *o;
	uint64_t offset = 0;
	long at;

	if (like->object != NO_OBJECT) {
		o = &r->memory->object[like->kind].v[like->object];
		fd = o->fd >= 0 ? (int)sys(SYS_fcntl, o->fd, F_DUPFD_CLOEXEC, 0)
				: o->kind->open(r, o);
		if (fd < 0)
			return fail(fd, "open what is mapped at %" PRIx64, g->start);
		offset = like->offset + (g->start - like->start);
	}
	at = sys(SYS_mmap, g->at, g->end - g->start, PROT_READ | PROT_WRITE,
		 vma_map_flags(like) | MAP_FIXED, fd, offset);
	if (at < 0)
		return fail(at, "map shared pages at %" PRIx64, g->at);
	if (like->flags & (VMA__FLAG__HUGEPAGE | VMA__FLAG__NOHUGEPAGE))
		at = sys(SYS_madvise, g->at, g->end - g->start,
			 like->flags & VMA__FLAG__HUGEPAGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return at < 0 ? fail(at, "advise shared pages at %" PRIx64, g->at) : 0;
}

static const struct segment *segment_of(const struct space *s, uint64_t address)
{
	vec_foreach(g, &s->segment)
		if ((*g)->start <= address && address < (*g)->end)
			return *g;
	return NULL;
}

/* A run may reach from one segment into the next, and these may lie apart for now. */
static int load_run(struct restore *r, const struct space *s, const struct run *run)
{
	int fd = r->memory->shard.v[run->at >> RUN_SHARD_BITS], e = 0;
	uint64_t offset = run->at & ((1ULL << RUN_SHARD_BITS) - 1), end;

	for (uint64_t at = run->start; !e && at < run->end; at = end) {
		const struct segment *g = segment_of(s, at);

		if (!g)
			return fail(-EPROTO, "shared pages at %" PRIx64 " belong to no mapping",
				    at);
		end = g->end < run->end ? g->end : run->end;
		e = io_pread(fd, (char *)(uintptr_t)segment_at(g, at), end - at,
			     offset + (at - run->start));
		if (e)
			return fail(e, "read shared pages to %" PRIx64, at);
	}
	return e;
}

static int load(struct restore *r, const struct space *s, bool huge)
{
	int e = 0;

	vec_foreach(run, &s->load)
		if (!(run->flags & PAGEMAP__FLAG__HUGE) == !huge)
			e = e ?: load_run(r, s, run);
	return e;
}

int memory_premap(struct self *self)
{
	struct restore *r = self->r;
	const struct space *s = r->memory->space[self->task->index];
	long e = 0;

	if (!s || !s->load.n)
		return 0;
	for (size_t i = 0; !e && i < s->made.n; i++)
		e = map_segment(r, s->made.v[i]);
	if (e)
		return (int)e;
	e = sys(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (e < 0)
		return fail(e, "forbid huge pages for a moment");
	e = load(r, s, false);
	if (e)
		return (int)e;
	e = sys(SYS_prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
	return e < 0 ? fail(e, "allow huge pages") : load(r, s, true);
}
