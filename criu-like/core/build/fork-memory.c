/*
 * What the tool has planned lies in private memory, and every fork copies its page tables: with a
 * thousand tasks that is most of the time of a restore, twice, because each of them takes the copy
 * down again. The kernel copies nothing of a private mapping of a file that was not written to; so
 * the plan moves, at its addresses, into a nameless file. What a task writes there stays its own.
 * The source of the programs is needed in no task and is kept from all of them.
 *
 * Only speed depends on this: where memory for the copy is missing, all stays as it was.
 */
#include "core/build/fork-memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/build/birth.h"
#include "core/build/program.h"
#include "kernel/sys.h"

enum { MANY = 16 }; /* forks of the tool; the copy costs as much as a few of them */

static void keep_from_tasks(const struct arena *a)
{
	struct arena_pages p;

	for (const void *at = NULL; arena_pages_next(a, &at, &p);)
		if (p.len_bytes)
			(void)sys(SYS_madvise, p.start, p.len_bytes,
				  MADV_DONTFORK); /* only speed */
}

static bool copy(int fd, const struct arena_pages *p, uint64_t to)
{
	size_t done = 0;

	while (done < p->used_bytes) {
		long n = sys(SYS_pwrite64, fd, (char *)p->start + done, p->used_bytes - done,
			     to + done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static int move_to_file(const struct arena *a)
{
	_close_ int fd = (int)sys(SYS_memfd_create, "plan", MFD_CLOEXEC);
	struct arena_pages p;
	uint64_t to = 0;

	if (fd < 0)
		return 0;
	for (const void *at = NULL; arena_pages_next(a, &at, &p); to += p.len_bytes) {
		long k;

		if (!p.len_bytes)
			continue;
		if (sys(SYS_ftruncate, fd, to + p.len_bytes) || !copy(fd, &p, to))
			return 0;
		k = sys(SYS_mmap, p.start, p.len_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_FIXED, fd, to);
		if (k < 0)
			return fail(k, "map the plan");
	}
	return 0;
}

int fork_memory_prepare(struct restore *r)
{
	if (r->births->all.n - r->births->n_heir < MANY)
		return 0;
	keep_from_tasks(programs_arena(r));
	return move_to_file(&r->arena);
}
