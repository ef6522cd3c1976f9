/*
 * A task that is killed while it is being restored passes no barrier and reports nothing, so
 * whoever waits for the others at a barrier looks after them when nothing has moved for a moment.
 * PDEATHSIG only works downwards, and a zombie of a task that runs the blob is reaped by nobody:
 * /proc tells.
 *
 * A task that is stopped from outside (SIGSTOP cannot be blocked) would hold the restore up for
 * ever: it fails as well. One that is alive may take its time, a slow disk for example; only a
 * process that is never born is given up after a while.
 */
#include "core/build/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/time.h"
#include "core/build/birth.h"
#include "core/phase.h"
#include "kernel/proc-stat.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

static const uint64_t birth_bound_ns = 20000000000ULL;

static long read_stat(pid_t pid, struct proc_stat *ret)
{
	char path[32], text[1024];
	_close_ int fd = -1;
	long n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid); /* always fits */
	fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	n = fd < 0 ? fd : sys(SYS_read, fd, text, sizeof(text));
	return n < 0 ? n : proc_stat_parse((struct span){ text, (size_t)n }, ret);
}

int watch_exit_code(pid_t pid, int32_t *ret)
{
	struct proc_stat s;
	long n = read_stat(pid, &s);

	if (n)
		return fail(n, "status of zombie %d", pid);
	*ret = s.exit_code;
	return 0;
}

char watch_state(pid_t pid, uint32_t *ret_threads)
{
	struct proc_stat s;
	long n = read_stat(pid, &s);

	if (n)
		return n == -ENOENT || n == -ESRCH ? 'X' : 0;
	*ret_threads = s.num_threads;
	return s.state;
}

static int check_task(const struct birth *b)
{
	uint32_t threads = 0;
	char state = watch_state(b->pid, &threads);

	/* A leader that is to end before its other threads becomes a zombie, too. */
	if (state == 'Z' && threads > 1 && b->task->state == TASK_DEAD_LEADER)
		state = watch_state(task_main(b->task)->tid, &threads);
	if (state == 'X' || state == 'Z')
		return fail(-ESRCH, "task %d was killed while it was being restored", b->pid);
	if (state == 'T' || state == 't')
		return fail(-ECANCELED,
			    "task %d was stopped by a signal while it was being restored", b->pid);
	return 0;
}

/* Stand-ins and zombies end when they are told to. */
static bool must_live(struct restore *r, const struct birth *b)
{
	bool dying = __atomic_load_n(&area_report(r)->word[WORD_DIE], __ATOMIC_ACQUIRE);

	return *area_born(r, b->index) && b->task && (b->task->state != TASK_ZOMBIE || !dying);
}

static int check_all(struct restore *r, uint64_t quiet_since)
{
	vec_foreach(b, &r->births->all) {
		int k = must_live(r, *b) ? check_task(*b) : 0;

		if (k)
			return area_failed(r) ? -ECANCELED : k;
		if (!*area_born(r, (*b)->index) && time_now_ns() - quiet_since > birth_bound_ns)
			return fail(-ETIMEDOUT, "process %d was not born", (*b)->pid);
	}
	return 0;
}

int watch_wait(struct restore *r, enum area_word w, uint32_t target)
{
	uint32_t *word = &area_report(r)->word[w], last = 0;
	const struct timespec look_up = { 0, 50 * 1000 * 1000 };
	uint64_t since = time_now_ns();

	for (;;) {
		uint32_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
		int k = 0;

		if (area_failed(r))
			return -ECANCELED;
		if ((int32_t)(seen - target) >= 0)
			return 0;
		if (seen != last)
			since = time_now_ns();
		last = seen;
		if (sys(SYS_futex, word, FUTEX_WAIT, seen, &look_up, 0, 0) == -ETIMEDOUT)
			k = check_all(r, since);
		if (!k && signal_interrupted())
			k = phase_interrupted(0);
		if (k)
			return k;
	}
}
