/*
 * What is done for memory outside of the blob: the coordinator makes shared objects before the first
 * fork; each task puts descriptors for its program at the reserved numbers. What the coordinator
 * has open is inherited over the fork and copied there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file.h"
#include "core/inode.h"
#include "core/memory-plan.h"
#include "core/memory.h"
#include "kernel/sys.h"

int memory_load_content(struct restore *r, uint32_t id, char *memory, uint64_t size)
{
	const struct mm *c = NULL;

	vec_foreach(m, &r->memory->content)
		if (m->id == id)
			c = m;
	for (size_t i = 0; c && i < c->run.n; i++) {
		const struct run *run = &c->run.v[i];
		int fd = r->memory->shard.v[run->at >> RUN_SHARD_BITS];
		int e;

		if (run->end > size)
			return fail(-EPROTO, "shared memory %" PRIu32 " has pages behind its end", id);
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
	return fd < 0 ? fail(fd, "open the executable '%s'", s->msg->exe->path) : put(fd, exe_fd(s), true);
}

int memory_premap(struct self *s)
{
	(void)s;
	return 0;
}
