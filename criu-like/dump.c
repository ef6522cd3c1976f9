/*
 * The conductor of a dump: a table of phases (docs/phases.md). What the outside can tell is looked
 * at before the stop and may refuse; nothing read then reaches an image unless it was read again or
 * compared. Until `commit` every failure lets the tree run on and removes the images; the tree is
 * killed only after the commit and after the post-dump scripts agreed.
 */
#include "dump.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/time.h"
#include "core/file/file.h"
#include "core/head.h"
#include "core/hook.h"
#include "core/file/inode.h"
#include "core/journal.h"
#include "core/memory/memory-ahead.h"
#include "core/memory/memory.h"
#include "core/net-lock.h"
#include "core/phase.h"
#include "core/pidfile.h"
#include "core/statistics.h"
#include "core/task-kinds.h"
#include "core/tree-image.h"
#include "core/stop/restart.h"
#include "core/stop/share.h"
#include "core/stop/victim.h"
#include "core/world.h"
#include "kernel/status-ahead.h"
#include "kernel/sys.h"

enum { MANY_PROCESSES = 16, MANY_THREADS = 256, STATUS_ROUNDS = 2 };
enum { PROCESS_BYTES = 34 << 10, THREAD_BYTES = 28 << 10, MOST_BYTES = 192 << 20 };
enum { STOP = 1, ATTEMPTS = 10, PAUSE_NS = 20000000 };

static int hook(const struct dump *d, const char *point)
{
	struct hooks h = { d->opt->action_script, d->opt->images_fd };

	return hook_run(&h, point, d->opt->pid);
}

static int open_images(void *c)
{
	struct dump *d = c;
	unsigned int flags = IMAGE_SET_REPLACE | (d->opt->no_sync ? 0 : IMAGE_SET_SYNC);
	int r = hook(d, "pre-dump");

	/* A checkpoint that is about to be replaced is given up. */
	if (!r && net_lock_abandon(&d->arena, d->opt->images_fd) < 0)
		log_warn("its network lock may be in force still");
	return r ?: image_set_create(&d->arena, d->opt->images_fd, flags, &d->set);
}

static void discard_images(void *c)
{
	struct dump *d = c;

	if (d->set && !d->committed)
		image_set_discard(d->set);
	if (!d->committed)
		d->set = NULL;
}

/* 0, -ENOTSUP when there are blockers, or another -errno (reported). */
static int collect(struct dump *d)
{
	static int (*const part[])(struct dump *) = { victim_look, files_look, memory_look,
						       world_look };

	for (size_t i = 0; i < array_size(part); i++) {
		int r = part[i](d);

		if (r && r != -ENOTSUP)
			return r;
	}
	return d->blockers.list.n ? -ENOTSUP : 0;
}

/* Whatever else went wrong: what was collected is told. STOP, without a word: it may pass. */
static int with_blockers(struct dump *d, int r)
{
	int e;

	d->again = d->patient && (!r || r == -ENOTSUP) && blockers_may_pass(&d->blockers);
	if (d->again)
		return STOP;
	e = blockers_report(&d->blockers);

	return e ?: r;
}

/* What is better done while the tree runs, where it pays. */
static void look_ahead(struct dump *d)
{
	size_t need = d->seen.n * PROCESS_BYTES + d->seen_threads * THREAD_BYTES;

	if (d->seen.n < MANY_PROCESSES && d->seen_threads < MANY_THREADS)
		return;
	share_look(d);
	d->ahead = read_ahead_new(d->seen.n, AHEAD_EXPECTED_BYTES, memory_ahead_look);
	d->statuses = status_ahead_new(STATUS_ROUNDS * d->seen_threads + MANY_THREADS);
	arena_prepare(&d->arena, need < MOST_BYTES ? need : MOST_BYTES);
}

static int look(void *c)
{
	struct dump *d = c;
	uint64_t from = time_now_ns();
	int r = with_blockers(d, collect(d));

	d->stats.look_us = (time_now_ns() - from) / 1000;
	if (!r)
		look_ahead(d);
	return r;
}

static int freeze(void *c)
{
	struct dump *d = c;
	uint64_t from = time_now_ns();
	int r;

	d->stats.frozen_from_ns = from;
	r = with_blockers(d, victim_freeze(d));
	if (!r)
		memory_read_ahead(d);
	d->stats.freeze_us = (time_now_ns() - from) / 1000;
	return r ?: hook(d, "frozen");
}

static int lock_network(void *c)
{
	return net_lock_dump(c);
}

static void unlock_network(void *c)
{
	net_lock_lift(c);
}

static void let_go(void *c)
{
	inode_dump_undo(c);
	(void)victim_release(c, VICTIM_RESUME); /* reported there */
}

static int save_state(void *c)
{
	struct dump *d = c;
	int r = head_dump(d), e;

	r = r ?: task_kinds_dump(d);
	if (r && r != -ENOTSUP)
		return r;
	e = victim_withdraw_all(d); /* the blob goes before memory is looked at */
	if (e)
		return e;
	e = files_dump(d);
	r = r ?: e;
	if (r && r != -ENOTSUP)
		return r;
	return with_blockers(d, r);
}

static int save_memory(void *c)
{
	struct dump *d = c;
	uint64_t from = time_now_ns();
	int r = memory_map(d) ?: world_dump(d) ?: memory_dump(d), e;

	d->stats.memory_us = (time_now_ns() - from) / 1000;
	e = blockers_report(&d->blockers);
	return e ?: r;
}

static int write_rest(void *c)
{
	struct dump *d = c;
	int r;

	restart_settle(d);
	r = tree_dump(d);
	r = r ?: inode_dump_finish(d);
	return with_blockers(d, r);
}

/* With the tree going on there is no reason to keep it stopped while the disk works. */
static int resume(void *c)
{
	struct dump *d = c;
	bool goes_on = d->opt->leave_running && !d->opt->leave_stopped;
	int r = goes_on ? victim_release(d, VICTIM_RESUME) : 0;

	d->stats.frozen_us = (time_now_ns() - d->stats.frozen_from_ns) / 1000;
	if (goes_on)
		net_lock_lift(d); /* milliseconds: the kernel waits for its readers */
	return r;
}

static int commit(void *c)
{
	struct dump *d = c;
	int r = statistics_dump(d);

	r = r ?: pidfile_write(d->opt->work_fd, d->opt->pidfile, d->opt->pid);
	r = r ?: image_set_commit(d->set);
	r = r ?: hook(d, "post-dump");
	if (r)
		return r;
	inode_dump_commit(d);
	d->committed = true;
	return 0;
}

static int release(void *c)
{
	struct dump *d = c;
	int r;

	if (d->opt->leave_stopped)
		net_lock_lift(d);
	if (d->opt->leave_stopped)
		return victim_release(d, VICTIM_STOP);
	if (d->opt->leave_running)
		return 0;
	r = net_lock_keep(d);
	if (r)
		return r;
	r = victim_release(d, VICTIM_KILL);
	if (!r || r == -ETIMEDOUT) /* dead, if not reaped */
		net_lock_silence(d);
	return r ?: files_after(d);
}

static const struct phase phases[] = {
	{ "images", open_images, discard_images, "an empty set of images exists", false },
	{ "look", look, NULL, "nothing that the outside can tell stands against the dump", false },
	{ "freeze", freeze, let_go, "every thread is stopped, the tree is known", false },
	{ "lock", lock_network, unlock_network,
	  "no packet of the tree's connections passes, in either direction", false },
	{ "state", save_state, NULL, "attributes and descriptors are in the images", false },
	{ "memory", save_memory, NULL, "address spaces are in the images", false },
	{ "tree", write_rest, NULL, "tasks, threads and ghosts are in the images", false },
	{ "resume", resume, NULL, "a tree that goes on runs again", false },
	{ "commit", commit, NULL, "the checkpoint is complete, the scripts agreed", false },
	{ "release", release, NULL, "the tree is gone, stopped or runs", true },
};

static int attempt(const struct dump_options *opt, uint64_t deadline, bool patient, bool *ret_again)
{
	struct dump *d = &(struct dump){ .opt = opt, .patient = patient };
	uint64_t from = time_now_ns();
	int r;

	arena_init(&d->arena);
	blockers_init(&d->blockers, &d->arena);
	(void)fault_enter(FAULT_DUMP, -1);
	r = phases_run(phases, array_size(phases), deadline, d);
	d->stats.total_us = (time_now_ns() - from) / 1000;
	if (!r && opt->show_stats)
		statistics_print(&d->stats, stdout);
	read_ahead_free(d->ahead);
	status_ahead_free(d->statuses);
	if (d->set)
		image_set_close(d->set);
	arena_deinit(&d->arena);
	*ret_again = d->again;
	return r;
}

/*
 * Connections that come and go inside of the tree are met in states that are gone in a moment.
 * Scripts are called once: with one there is no second attempt.
 */
int dump_run(const struct dump_options *opt)
{
	const struct timespec pause = { 0, PAUSE_NS };
	uint64_t deadline = opt->bound_s ? time_now_ns() + opt->bound_s * 1000000000ull : 0;
	bool scripts = opt->action_script && opt->action_script[0];
	bool again;
	int r = attempt(opt, deadline, !scripts, &again);

	for (int i = 2; again; i++) {
		(void)sys(SYS_nanosleep, &pause, NULL); /* only a pause between two */
		r = attempt(opt, deadline, i < ATTEMPTS, &again);
	}
	return r;
}

int dump_check(const struct dump_options *opt, struct arena *a, struct blockers *ret)
{
	struct dump *d = &(struct dump){ .opt = opt };
	int r;

	d->arena = *a;
	blockers_init(&d->blockers, &d->arena);
	(void)fault_enter(FAULT_DUMP, -1);
	r = collect(d);
	*a = d->arena;
	*ret = d->blockers;
	ret->arena = a;
	return r;
}
