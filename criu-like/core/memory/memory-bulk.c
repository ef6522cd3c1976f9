/*
 * Large runs of pages are copied last, all together, by two: this process and one forked from it,
 * each with a page store of its own (one file has one lock). Copying is bound by one cpu, not by
 * the disk: every page is read, hashed and written to the page cache.
 *
 * While address spaces are looked through, such runs get numbers in a row of their own
 * (BULK_SHARD), which stand for offsets in the store until it is known how much there is. Little is
 * appended to the first store, and so is all where the images go one way.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/memory/memory-dump.h"
#include "kernel/clone.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

enum { BULK_SHARD = 0xffff, TWO_FROM = 32 << 20, LOG_BYTES = 4096 };
#define BULK_BASE ((uint64_t)BULK_SHARD << RUN_SHARD_BITS)

uint64_t memory_bulk_add(struct dump *d, const struct bulk_run *run)
{
	struct memory *m = d->memory;
	uint64_t at = m->bulk_bytes;

	*vec_push(&d->arena, &m->bulk) = *run;
	m->bulk_bytes += run->end - run->start;
	return BULK_BASE | at;
}

static int turn_to(struct page_writer *w, const struct task *t)
{
	int r = page_writer_flush(w);

	fd_close(&w->fd);
	w->pid = t->pid;
	w->fd = (int)sys(SYS_openat, t->proc_fd, "mem", 02000000); /* O_CLOEXEC */
	return r ?: w->fd < 0 ? fail(w->fd, "open the memory of task %d", t->pid) : 0;
}

/* What has the numbers from here to there. */
static int copy(const struct memory *m, struct page_writer *w, struct range part)
{
	const struct task *task = NULL;
	uint64_t at = 0, stored;
	int r = 0;

	w->fd = -1; /* whoever used it has closed it */
	for (size_t i = 0; !r && i < m->bulk.n; i++) {
		const struct bulk_run *run = &m->bulk.v[i];
		uint64_t len = run->end - run->start, from = at > part.start ? at : part.start;
		uint64_t to = at + len < part.end ? at + len : part.end;

		if (from < to && run->task != task)
			r = turn_to(w, task = run->task);
		w->gentle = run->gentle;
		if (!r && from < to)
			r = page_writer_add(w, run->start + (from - at), run->start + (to - at),
					    &stored);
		at += len;
	}
	w->gentle = false;
	r = r ?: page_writer_flush(w);
	fd_close(&w->fd);
	return r;
}

/* What the other one tells, in memory that both see. */
struct other {
	uint32_t n_extent, room;
	char log[LOG_BYTES];
	struct extent extent[];
};

static int other_map(const struct memory *m, uint64_t bytes, struct mapping *ret)
{
	uint32_t room = (uint32_t)(bytes / BATCH_BYTES + m->bulk.n + 2);
	size_t len = sizeof(struct other) + room * sizeof(struct extent);
	long at = sys(SYS_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct other *o;

	if (at < 0)
		return fail(at, "map %zu bytes for a process that copies memory", len);
	o = (struct other *)at;
	o->room = room;
	((struct log_buffer *)o->log)->size = LOG_BYTES - sizeof(struct log_buffer);
	*ret = (struct mapping){ o, len };
	return 0;
}

static _Noreturn void other_live(const struct memory *m, struct page_writer *w, struct range part,
				 struct other *o)
{
	int r;

	(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); /* it ends by itself, too */
	log_to_buffer((struct log_buffer *)o->log);
	r = copy(m, w, part);
	bug_on(w->extent.n > o->room, "more checksums than pieces");
	o->n_extent = (uint32_t)w->extent.n;
	if (w->extent.n)
		memcpy(o->extent, w->extent.v, w->extent.n * sizeof(struct extent));
	_exit(r ? 1 : 0);
}

static int other_end(pid_t pid, struct other *o)
{
	unsigned int errors = log_errors();
	int status, r = signal_reap(pid, false, &status);

	log_flush_buffer((struct log_buffer *)o->log);
	if (r < 0)
		return fail(r, "wait for process %d that copies memory", pid);
	if (status && log_errors() == errors)
		return fail(-ECHILD, "process %d that copies memory ended with status %#x", pid,
			    (unsigned int)status);
	return status ? -ECHILD : 0;
}

static void take_extents(struct dump *d, const struct extent *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*vec_push(&d->arena, &d->memory->writer.extent) = e[i];
}

static int copy_by_two(struct dump *d, struct page_store *const store[2], uint64_t half)
{
	const struct memory *m = d->memory;
	struct page_writer *w = arena_array(&d->arena, struct page_writer, 2);
	struct range second = { half, m->bulk_bytes };
	_unmap_ struct mapping shared = { 0 };
	struct other *o;
	long pid;
	int r, e;

	r = page_writer_init(&w[0], &d->arena, store[0], 1) ?:
		page_writer_init(&w[1], &d->arena, store[1], 2) ?:
		other_map(m, second.end - second.start, &shared);
	if (r)
		return r;
	o = shared.p;
	pid = clone_process(0, 0, SIGCHLD);
	if (!pid)
		other_live(m, &w[1], second, o);
	if (pid < 0)
		return fail(pid, "start a process to copy memory");
	r = copy(m, &w[0], (struct range){ 0, half });
	e = other_end((pid_t)pid, o);
	if (r || e)
		return r ?: e;
	d->stats.bytes_written += m->bulk_bytes;
	page_store_appended(store[1], second.end - second.start);
	take_extents(d, w[0].extent.v, w[0].extent.n);
	take_extents(d, o->extent, o->n_extent);
	return page_store_finish(store[0]) ?: page_store_finish(store[1]);
}

/* Where the numbers below `half` lie, and those from there on. */
struct places {
	uint64_t half, first, second;
};

static struct run place(struct run run, const struct places *p)
{
	uint64_t at = run.at - BULK_BASE;

	run.at = at < p->half ? p->first + at : p->second + (at - p->half);
	return run;
}

static void place_runs(struct arena *a, struct mm *mm, const struct places *p)
{
	struct mm placed = { 0 };

	vec_foreach(run, &mm->run) {
		uint64_t at = run->at - BULK_BASE, len = run->end - run->start;
		struct run rest = *run;

		if (run->at < BULK_BASE) {
			run_append(a, &placed, *run);
			continue;
		}
		if (at < p->half && at + len > p->half) {
			struct run first = *run;

			first.end = run->start + (p->half - at);
			run_append(a, &placed, place(first, p));
			rest.start = first.end;
			rest.at = BULK_BASE + p->half;
		}
		run_append(a, &placed, place(rest, p));
	}
	mm->run = placed.run;
}

static void place_all(struct dump *d, const struct places *p)
{
	vec_foreach(m, &d->memory->space)
		place_runs(&d->arena, *m, p);
}

static int copy_to_first(struct dump *d)
{
	struct memory *m = d->memory;
	struct places p = { m->bulk_bytes, m->writer.next, 0 };
	int r = copy(m, &m->writer, (struct range){ 0, m->bulk_bytes });

	if (!r)
		place_all(d, &p);
	return r;
}

int memory_bulk_write(struct dump *d)
{
	struct memory *m = d->memory;
	uint64_t half = m->bulk_bytes / 2 / BATCH_BYTES * BATCH_BYTES;
	struct places p = { half, 1ULL << RUN_SHARD_BITS, 2ULL << RUN_SHARD_BITS };
	struct page_store *store[2];
	int r;

	if (!m->bulk.n)
		return 0;
	if (m->bulk_bytes < TWO_FROM || !page_store_can_share(m->store))
		return copy_to_first(d);
	r = page_store_create(d->set, 1, &store[0]) ?: page_store_create(d->set, 2, &store[1]);
	r = r ?: page_store_share(store[1]);
	r = r ?: copy_by_two(d, store, half);
	if (!r)
		place_all(d, &p);
	return r;
}
