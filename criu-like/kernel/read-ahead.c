/*
 * The kernel makes the text of a file of /proc when it is read, and for smaps that means a walk
 * over all pages: with hundreds of processes a good part of the time they are stopped. So a forked
 * helper looks from one end of the list while the caller does other things, and then comes from the
 * other; whoever claims a process first looks at it. The results lie in a shared mapping, of which
 * nothing is used that is not written. The helper dies with the caller and has no part in anything
 * else.
 *
 * The caller may change a process meanwhile, as long as it puts everything back: each has a number
 * that is odd while it is changed, and what was read counts only when the number was even before
 * and the same behind it.
 */
#include "kernel/read-ahead.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "kernel/clone.h"
#include "kernel/own.h"
#include "kernel/sys.h"

#ifndef MADV_POPULATE_WRITE /* 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
enum { RESULT_BYTES = 256 << 20, SCRATCH_BYTES = 64 << 20, ALIGN = 64, PAGE = 4096 };
enum { READING, DONE, FAILED };

struct item {
	pid_t pid;
	uint32_t claimed, state;
	uint32_t turn; /* odd: disturbed */
	bool again;    /* claimed by the helper, which was disturbed */
	size_t at, len;
};
struct read_ahead {
	size_t size, n, n_max;
	read_ahead_fn *look;
	uint64_t argument;
	pid_t helper;
	uint32_t go, settled, waiting;
	struct item item[];
};

static size_t align(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static size_t results_at(size_t n)
{
	return align(sizeof(struct read_ahead) + n * sizeof(struct item), PAGE);
}

static char *results_of(struct read_ahead *a)
{
	return (char *)a + results_at(a->n_max);
}

static bool claim(struct item *i)
{
	return !__atomic_exchange_n(&i->claimed, 1, __ATOMIC_ACQ_REL);
}

static void wait_for(uint32_t *word, uint32_t old)
{
	(void)sys(SYS_futex, word, FUTEX_WAIT, old, 0, 0, 0); /* judged by the caller's loop */
}

/* One claimed process; what is half true is left to the caller. */
static void look_at(struct read_ahead *a, struct item *i, uint32_t turn, struct read_ahead_job *j)
{
	long n;

	i->again = false;
	j->pid = i->pid;
	n = a->look(j);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (n > 0 && (size_t)n <= j->room && __atomic_load_n(&i->turn, __ATOMIC_SEQ_CST) == turn) {
		i->at = (size_t)(j->to - results_of(a));
		i->len = (size_t)n;
		n = (long)align((size_t)n, ALIGN);
		n = n < (long)j->room ? n : (long)j->room;
		j->to += n;
		j->room -= (size_t)n;
		__atomic_store_n(&i->state, DONE, __ATOMIC_RELEASE);
	} else if (__atomic_load_n(&i->turn, __ATOMIC_SEQ_CST) != turn) {
		i->again = true;
	} else {
		__atomic_store_n(&i->state, FAILED, __ATOMIC_RELEASE);
	}
}

/* Yields how many were passed over because they are disturbed. */
static size_t look_at_all(struct read_ahead *a, struct read_ahead_job *j)
{
	size_t left = 0;

	for (size_t i = a->n; i-- > 0;) {
		struct item *item = &a->item[i];
		uint32_t turn = __atomic_load_n(&item->turn, __ATOMIC_SEQ_CST);

		if (!item->pid ||
		    (__atomic_load_n(&item->claimed, __ATOMIC_RELAXED) && !item->again))
			continue;
		if (!(turn & 1) && (item->again || claim(item)))
			look_at(a, item, turn, j);
		left += turn & 1 || item->again;
	}
	return left;
}

static _Noreturn void help(struct read_ahead *a, pid_t caller, size_t expected)
{
	struct read_ahead_job j = { .to = results_of(a), .scratch_room = SCRATCH_BYTES };
	uint32_t before;
	long scratch;

	(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* cannot fail */
	if ((pid_t)sys(SYS_getppid) != caller)
		_exit(0);
	scratch = sys(SYS_mmap, 0, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (scratch < 0)
		_exit(0); /* nothing is claimed */
	j.scratch = (char *)scratch;
	j.room = a->size - (size_t)(j.to - (char *)a);
	(void)sys(SYS_madvise, a, expected, MADV_POPULATE_WRITE); /* only speed */
	while (!__atomic_load_n(&a->go, __ATOMIC_ACQUIRE))
		wait_for(&a->go, 0);
	j.argument = a->argument;
	do {
		before = __atomic_load_n(&a->settled, __ATOMIC_SEQ_CST);
		if (!look_at_all(a, &j))
			_exit(0);
		__atomic_store_n(&a->waiting, 1, __ATOMIC_SEQ_CST);
		wait_for(&a->settled, before);
		__atomic_store_n(&a->waiting, 0, __ATOMIC_SEQ_CST);
	} while (true);
}

struct read_ahead *read_ahead_new(size_t n, size_t each, read_ahead_fn *look)
{
	size_t size = results_at(n) + RESULT_BYTES;
	size_t expected = results_at(n) + align(n * each < RESULT_BYTES ? n * each : 0, PAGE);
	pid_t self = (pid_t)sys(SYS_getpid);
	struct read_ahead *a;
	long r;

	if (fault_armed() || !own_other_cpus()) /* counted calls must not depend on a race */
		return NULL;
	r = sys(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r < 0)
		return NULL;
	a = (struct read_ahead *)r;
	(void)sys(SYS_madvise, a, expected, MADV_POPULATE_WRITE); /* only speed */
	a->size = size;
	a->n_max = n;
	a->look = look;
	r = clone_process(0, 0, 0);
	if (!r)
		help(a, self, expected);
	if (r < 0) {
		(void)sys(SYS_munmap, a, size); /* ours, whole */
		return NULL;
	}
	a->helper = (pid_t)r;
	return a;
}

void read_ahead_go(struct read_ahead *a, const pid_t *pid, size_t n, uint64_t argument)
{
	if (!a || a->n)
		return;
	a->n = n < a->n_max ? n : a->n_max;
	a->argument = argument;
	for (size_t i = 0; i < a->n; i++)
		a->item[i].pid = pid[i];
	__atomic_store_n(&a->go, 1, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, &a->go, FUTEX_WAKE, 1, 0, 0, 0); /* one waits at most */
}

static void set_disturbed(struct read_ahead *a, size_t i, bool disturbed)
{
	struct item *item = &a->item[i];

	if ((item->turn & 1) != disturbed)
		(void)__atomic_add_fetch(&item->turn, 1, __ATOMIC_SEQ_CST);
}

void read_ahead_disturb(struct read_ahead *a, size_t i)
{
	if (a && i < a->n)
		set_disturbed(a, i, true);
}

void read_ahead_settle(struct read_ahead *a, size_t i)
{
	if (!a || i >= a->n)
		return;
	set_disturbed(a, i, false);
	(void)__atomic_add_fetch(&a->settled, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&a->waiting, __ATOMIC_SEQ_CST))
		(void)sys(SYS_futex, &a->settled, FUTEX_WAKE, 1, 0, 0, 0); /* as above */
}

static bool ended(const struct read_ahead *a)
{
	siginfo_t info = { 0 };

	return sys(SYS_waitid, P_PID, a->helper, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0) <
		       0 ||
	       info.si_pid;
}

bool read_ahead_take(struct read_ahead *a, size_t i, struct span *ret)
{
	struct item *item = a && i < a->n && a->item[i].pid ? &a->item[i] : NULL;
	uint32_t state;

	if (!item || claim(item))
		return false;
	while ((state = __atomic_load_n(&item->state, __ATOMIC_ACQUIRE)) == READING) {
		if (ended(a) && __atomic_load_n(&item->state, __ATOMIC_ACQUIRE) == READING)
			return false;	    /* killed by somebody */
		(void)sys(SYS_sched_yield); /* a fraction of a millisecond */
	}
	*ret = (struct span){ results_of(a) + item->at, item->len };
	return state == DONE;
}

void read_ahead_free(struct read_ahead *a)
{
	if (!a)
		return;
	(void)sys(SYS_kill, a->helper, SIGKILL); /* ours until it is reaped */
	(void)sys(SYS_waitid, P_PID, a->helper, 0, WEXITED | __WALL, 0);
	(void)sys(SYS_munmap, a, a->size); /* ours, whole */
}
