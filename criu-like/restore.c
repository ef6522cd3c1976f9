/*
 * The conductor of a restore: a table of phases (docs/phases.md). Everything that can be known
 * beforehand is refused before the first fork. Until `commit` a failure, or the death of the tool,
 * leaves no process behind; afterwards the tasks run on their own.
 */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "core/build/area.h"
#include "core/build/attach.h"
#include "core/build/birth.h"
#include "core/file/file.h"
#include "core/build/fork-memory.h"
#include "core/build/heir.h"
#include "core/head.h"
#include "core/hook.h"
#include "core/file/inode.h"
#include "core/journal.h"
#include "core/memory/memory.h"
#include "core/net-lock.h"
#include "core/build/own-table.h"
#include "core/phase.h"
#include "core/pidfile.h"
#include "core/build/program.h"
#include "core/build/self.h"
#include "core/statistics.h"
#include "core/task-kinds.h"
#include "core/tree-image.h"
#include "core/build/watch.h"
#include "core/world.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

/* The bit of a wait status that says so; zombies leave no core again. */
static const int core_dumped = 0x80;

static int read_images(void *c)
{
	struct restore *r = c;
	int k = r->set ? 0 : image_set_open(&r->arena, r->opt->images_fd, &r->set);

	k = k ?: head_check(r);
	return k ?: tree_read(r);
}

static int hook(const struct restore *r, const char *point, pid_t root)
{
	struct hooks h = { r->opt->action_script, r->opt->images_fd };

	return hook_run(&h, point, root);
}

/* Each part of the plan collects its blockers, and builds on those before it. */
static int collect(struct restore *r)
{
	static int (*const part[])(struct restore *) = { inode_plan,  birth_plan,  memory_read,
							 files_plan, memory_plan, world_plan,
							 task_kinds_plan };

	for (size_t i = 0; i < array_size(part); i++) {
		int k = part[i](r);

		if (k && k != -ENOTSUP)
			return k;
	}
	return r->blockers.list.n ? -ENOTSUP : 0;
}

static int plan(void *c)
{
	struct restore *r = c;
	int k, e;

	(void)restore_journal(r); /* what a killed run left would be in the way */
	k = collect(r);
	e = blockers_report(&r->blockers);

	k = e ?: k;
	return k || !r->opt->plan_only ? k : memory_verify(r);
}

static int build_programs(void *c)
{
	struct restore *r = c;
	int k = area_reserve(r);

	if (!k)
		heirs_find(r);
	return k ?: programs_build(r);
}

static int map_area(void *c)
{
	struct restore *r = c;
	int k = area_map(r);

	return k ?: programs_emit(r);
}

static int prepare(void *c)
{
	struct restore *r = c;
	long k = hook(r, "pre-restore", 0);

	if (k)
		return (int)k;
	signal_default(SIGCHLD); /* ignored, their ends and stops would not wake us */
	k = signal_set_mask(~0ull);
	if (k < 0)
		return fail(k, "block the signals that tasks are born with");
	k = sys(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (k < 0)
		return fail(k, "become a subreaper");
	k = own_table_trim(r);
	k = k ?: net_lock_restore(r);
	k = k ?: inode_create_ghosts(r);
	k = k ?: world_create(r);
	k = k ?: files_open_shared(r);
	k = k ?: memory_create(r);
	return (int)k ?: fork_memory_prepare(r);
}

static void undo_prepare(void *c)
{
	world_undo(c);
	(void)inode_remove_ghosts(c, false); /* reported there; the journal keeps what is left */
	(void)inode_end_puts(c, false);	     /* as above */
}

/*
 * Barriers that would only make many processes sleep and wake up: when nothing that a task needs
 * depends on others, it goes on while those are still being born, and when nobody is going to die,
 * its signals do not wait for that.
 */
static void open_barriers(struct restore *r)
{
	if (!births_independent(r))
		return;
	area_pass(r, WORD_GO, 1);
	if (!r->births->n_zombie)
		area_pass(r, WORD_SIGNALS, 1);
}

/* Only the coordinator waits for these words, or whoever does waits for the same. */
static void set_goals(struct restore *r)
{
	static const enum area_word by_threads[] = { WORD_RESTORED, WORD_SIGNALED, WORD_CREDS_DONE,
						     WORD_PARKED };

	area_goal(r, WORD_FORKED, r->births->n_fork);
	for (size_t i = 0; i < array_size(by_threads); i++)
		area_goal(r, by_threads[i], (uint32_t)r->tree.thread.n);
}

static int fork_tree(void *c)
{
	struct restore *r = c;
	uint64_t from = time_now_ns();
	int k;

	set_goals(r);
	open_barriers(r);
	k = self_fork_root(r);
	k = k ?: watch_wait(r, WORD_FORKED, r->births->n_fork);
	k = k ?: files_open_late(r);
	if (!k)
		area_pass(r, WORD_GO, 1);
	k = k ?: memory_verify(r); /* while they read what it compares */
	k = k ?: watch_wait(r, WORD_RESTORED, (uint32_t)r->tree.thread.n);
	r->stats.fork_us = (time_now_ns() - from) / 1000;
	log_flush_buffer(area_log(r));
	return k;
}

/* The failure of a program is in the report page; of a task before its blob in the log already. */
static void undo_fork(void *c)
{
	struct restore *r = c;

	log_flush_buffer(area_log(r));
	programs_report_failure(r);
	area_fail(r);
	attach_kill_all(r);
}

/* Its status is all that a zombie has to tell; somebody else may have killed it in another way. */
static int wait_dead(const struct task *t)
{
	_close_ int fd = (int)sys(SYS_pidfd_open, t->pid, 0);
	struct pollfd p = { fd, POLLIN, 0 };
	int32_t status = 0;
	long k;

	if (fd < 0)
		return fail(fd, "watch zombie %d", t->pid);
	do
		k = sys(SYS_poll, &p, 1, 10000);
	while (k == -EINTR);
	if (k != 1)
		return fail(k ? k : -ETIMEDOUT, "wait for zombie %d to die", t->pid);
	k = watch_exit_code(t->pid, &status);
	if (!k && (((uint32_t)status ^ t->exit_status) & ~(uint32_t)core_dumped))
		return fail(-ECANCELED, "zombie %d died with status %#x, not %#x", t->pid, status,
			    t->exit_status);
	return (int)k;
}

static int settle(void *c)
{
	struct restore *r = c;
	uint32_t n = (uint32_t)r->tree.thread.n;
	int k = files_hold(r);

	k = k ?: memory_settle(r);
	k = k ?: world_settle(r); /* the journal is closed with the ghosts */
	k = k ?: inode_remove_ghosts(r, false);
	k = k ?: files_settle(r);
	files_close_shared(r);
	memory_close(r);
	area_pass(r, WORD_DIE, 1);
	for (size_t i = 0; !k && i < r->tree.task.n; i++)
		if (r->tree.task.v[i]->state == TASK_ZOMBIE)
			k = wait_dead(r->tree.task.v[i]);
	if (k)
		return k;
	area_pass(r, WORD_SIGNALS, 1);
	k = watch_wait(r, WORD_SIGNALED, n);
	k = k ?: attach_all(r);
	if (k)
		return k;
	area_pass(r, WORD_CREDS, 1);
	k = watch_wait(r, WORD_CREDS_DONE, n);
	if (k)
		return k;
	area_pass(r, WORD_ARM, 1);
	return watch_wait(r, WORD_PARKED, n);
}

static int finish(void *c)
{
	struct restore *r = c;
	pid_t root = r->tree.task.v[0]->pid;
	int k = pidfile_write(r->opt->work_fd, r->opt->pidfile, root);

	k = k ?: attach_stop_all(r);
	k = k ?: attach_finish(r);
	k = k ?: files_last_prepare(r);
	k = k ?: hook(r, "post-restore", root);
	return k ?: hook(r, "pre-resume", root);
}

static void undo_finish(void *c)
{
	struct restore *r = c;

	pidfile_remove(r->opt->work_fd, r->opt->pidfile);
}

static int commit(void *c)
{
	struct restore *r = c;
	int k = net_lock_end(r);

	if (!k)
		files_last(r);
	k = k ?: attach_release(r);

	if (k)
		return k;
	(void)inode_remove_ghosts(r, true); /* reported; the tasks run and keep their files */
	(void)inode_end_puts(r, true);	    /* as above */
	return 0;
}

static const struct phase phases[] = {
	{ "read", read_images, NULL, "all images are whole, the tree is known", false },
	{ "plan", plan, NULL, "nothing that can be known beforehand stands against the restore",
	  false },
	{ "build", build_programs, NULL, "every thread has its program", false },
	{ "area", map_area, NULL, "the area is mapped, nothing was forked", false },
	{ "prepare", prepare, undo_prepare, "shared descriptions are open, ghosts have names",
	  false },
	{ "fork", fork_tree, undo_fork, "every task and thread exists and has its resources",
	  false },
	{ "settle", settle, NULL,
	  "zombies are dead, every thread is traced, credentials final, timers armed", false },
	{ "finish", finish, undo_finish, "registers are set, the area is gone, all are stopped",
	  false },
	{ "commit", commit, NULL, "the tasks run", false },
};
/* --plan ends here. */
enum { PHASES_OF_PLAN = 3 };

int restore_run(const struct restore_options *opt, pid_t *ret_pid)
{
	struct restore *r = &(struct restore){ .opt = opt };
	size_t n = opt->plan_only ? PHASES_OF_PLAN : array_size(phases);
	uint64_t from = time_now_ns();
	int k;

	arena_init(&r->arena);
	blockers_init(&r->blockers, &r->arena);
	(void)fault_enter(FAULT_RESTORE, -1);
	k = phases_run(phases, n, 0, r);
	r->stats.total_us = (time_now_ns() - from) / 1000;
	if (!k)
		*ret_pid = r->tree.task.v[0]->pid;
	if (!k && opt->plan_only)
		programs_print(r, stdout);
	else if (!k)
		(void)hook(r, "post-resume", *ret_pid); /* too late to fail: it is reported */
	if (!k && opt->show_stats)
		statistics_print_restore(r, stdout);
	if (r->set)
		image_set_close(r->set);
	programs_free(r);
	arena_deinit(&r->arena);
	return k;
}

int restore_check(const struct restore_options *opt, struct arena *a, struct blockers *ret)
{
	return restore_check_set(opt, NULL, a, ret);
}

int restore_check_set(const struct restore_options *opt, struct image_set *set, struct arena *a,
		      struct blockers *ret)
{
	struct restore *r = &(struct restore){ .opt = opt, .set = set };
	int k;

	r->arena = *a;
	blockers_init(&r->blockers, &r->arena);
	(void)fault_enter(FAULT_RESTORE, -1);
	k = read_images(r);
	k = k ?: collect(r);
	k = k ?: memory_verify(r);
	memory_close(r);
	if (r->set && r->set != set)
		image_set_close(r->set);
	*a = r->arena;
	*ret = r->blockers;
	ret->arena = a;
	return k;
}
