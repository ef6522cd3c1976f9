/*
 * How the content of an address space is read, by its own program, into mappings that are writable
 * for the moment. Runs that were small pages are read with huge pages forbidden, so that memory
 * does not grow; MADV_HUGEPAGE was set before.
 *
 * Large runs go in pieces: page tables and pages first (MADV_POPULATE_WRITE, one call instead of
 * a fault per page), then the bytes. Most of the time is the kernel's, for making pages, so the
 * large runs of a large address space are read by two: a thread that nobody will know of reads the
 * second half, and runs nothing more when the first one goes on.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "core/build/program.h"
#include "core/memory/memory-plan.h"
#include "kernel/sys.h"
#include "pagemap.pb-c.h"

enum {
	IOV_MOST = 1024,
	GROUP_BYTES = 1 << 30,
	POPULATE_FROM = 256 << 10,
	CHUNK_BYTES = 512 << 10,
	HELP_FROM = 32 << 20,
	WAITS = 1000,
};

/* A read of several runs that lie behind each other in one shard. */
struct group {
	struct iovec iov[IOV_MOST];
	int n_iov;
	uint64_t at, bytes;
};

static void group_end(struct prog *p, const struct space *s, struct group *g)
{
	int64_t offset = (int64_t)(g->at & ((1ULL << RUN_SHARD_BITS) - 1));

	if (!g->n_iov)
		return;
	prog_where(p, "read %" PRIu64 " bytes to %p", g->bytes, g->iov[0].iov_base);
	prog_equals(prog_call(p, SYS_preadv, shard_fd(s, g->at),
			      prog_in(p, g->iov, (size_t)g->n_iov * sizeof(g->iov[0])), g->n_iov,
			      offset, 0),
		    (int)g->bytes);
	g->n_iov = 0;
	g->bytes = 0;
}

static void group_add(struct prog *p, const struct space *s, struct group *g, const struct run *run)
{
	uint64_t len = run->end - run->start;

	if (g->n_iov == IOV_MOST || g->at + g->bytes != run->at || g->bytes + len > GROUP_BYTES)
		group_end(p, s, g);
	if (!g->n_iov)
		g->at = run->at;
	g->iov[g->n_iov++] = (struct iovec){ (void *)(uintptr_t)run->start, len };
	g->bytes += len;
}

/* What is read in pieces, and by whom: one half by a helper, if there is one. */
struct halves {
	struct prog *first, *second;
	uint64_t left; /* bytes that the first still takes */
};

/* Page tables and pages first, then the bytes, while the piece fits the cache. */
static void stage_large(struct halves *h, const struct space *s, const struct run *run)
{
	prog_where(h->first, "read %" PRIx64 "-%" PRIx64, run->start, run->end);
	if (h->second)
		prog_where(h->second, "read %" PRIx64 "-%" PRIx64, run->start, run->end);
	for (uint64_t at = run->start; at < run->end; at += CHUNK_BYTES) {
		uint64_t len = run->end - at < CHUNK_BYTES ? run->end - at : CHUNK_BYTES;
		uint64_t from = run->at + (at - run->start);
		struct prog *p = !h->second || h->left >= len ? h->first : h->second;

		h->left -= h->left < len ? h->left : len;
		prog_any(prog_call(p, SYS_madvise, (int64_t)at, (int64_t)len,
				   23 /* POPULATE_WRITE */));
		prog_full(p, SYS_pread64, shard_fd(s, from), (int64_t)at, (int64_t)len,
			  (int64_t)(from & ((1ULL << RUN_SHARD_BITS) - 1)));
	}
}

static bool is_large(const struct run *run)
{
	return run->end - run->start >= POPULATE_FROM;
}

static bool is_huge(const struct run *run)
{
	return run->flags & PAGEMAP__FLAG__HUGE;
}

static uint64_t large_bytes(const struct space *s, bool huge)
{
	uint64_t n = 0;

	vec_foreach(run, &s->fill)
		if (is_large(run) && is_huge(run) == huge)
			n += run->end - run->start;
	return n;
}

/* Reads its half, and ends; the kernel clears the number then. Without CLONE_SYSVSEM, which would
 * make a list of semaphores that the task has not. */
static struct prog_arg helper_start(struct prog *p, const struct helper *h)
{
	struct clone_args a = { .flags = (THREAD_FLAGS & ~CLONE_SYSVSEM) | CLONE_CHILD_CLEARTID,
				.stack = h->stack,
				.stack_size = h->stack_bytes,
				.set_tid_size = 1 };
	struct prog_arg args = prog_in(p, &a, sizeof(a)), tid = prog_in(p, &h->tid, sizeof(h->tid));

	prog_where(p, "start thread %d to help with reading memory", h->tid);
	prog_point(p, args, offsetof(struct clone_args, set_tid), tid, 0);
	prog_point(p, args, offsetof(struct clone_args, child_tid), tid, 0);
	prog_start(p, args, sizeof(a), h->prog, h->tid);
	return tid;
}

static void helper_end(struct prog *p, const struct helper *h, struct prog_arg tid)
{
	prog_call(h->prog, SYS_exit, 0);
	prog_where(p, "wait for thread %d that reads memory", h->tid);
	prog_accept(prog_call(p, SYS_futex, tid, FUTEX_WAIT, h->tid, 0), EAGAIN);
	prog_loop(p, 1, prog_word(tid), 0, WAITS);
}

static void stage_fill_kind(struct prog *p, const struct space *s, bool huge, struct helper *help)
{
	struct group g;
	struct halves h = { p, help ? help->prog : NULL, large_bytes(s, huge) / 2 };
	struct prog_arg tid = help ? helper_start(p, help) : prog_imm(0);

	g.n_iov = 0; /* the rest of its 16 KiB is written when it is needed */
	g.bytes = 0;
	vec_foreach(run, &s->fill) {
		if (is_huge(run) != huge)
			continue;
		if (is_large(run))
			stage_large(&h, s, run);
		else
			group_add(p, s, &g, run);
	}
	group_end(p, s, &g);
	if (help)
		helper_end(p, help, tid);
}

int memory_stage_fill(struct prog *p, struct restore *r, const struct space *s)
{
	bool huge = large_bytes(s, true) > large_bytes(s, false);
	struct helper *help = NULL;
	int k = 0;

	if (!s->fill.n)
		return 0;
	if (large_bytes(s, huge) >= HELP_FROM)
		k = program_helper(r, p, &help);
	if (k)
		return k;
	prog_where(p, "forbid huge pages for a moment");
	prog_call(p, SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
	stage_fill_kind(p, s, false, huge ? NULL : help);
	prog_where(p, "allow huge pages");
	prog_call(p, SYS_prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
	stage_fill_kind(p, s, true, huge ? help : NULL);
	return 0;
}
