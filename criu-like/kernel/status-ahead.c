/*
 * The status of a thread is a text that the kernel makes when it is read; with its way through
 * /proc that takes 15 us, half of what stopping the thread takes. It may be read only when every
 * thread is stopped, because others change what it shows (pending signals, filters). From then on a
 * forked helper reads from the last thread to the first, on another cpu, and the caller, who comes
 * from the front, finds the rest done. Whoever claims a thread first reads it; what the helper is
 * just reading the caller reads as well, so it never waits.
 *
 * Places are used once, so a helper that is still busy with a round which was forgotten disturbs
 * nobody. It traces nobody, holds nothing of the tree and dies with the caller.
 */
#include "kernel/status-ahead.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "kernel/clone.h"
#include "kernel/own.h"
#include "kernel/sys.h"

#ifndef MADV_POPULATE_WRITE /* 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
enum { TEXT_BYTES = 4096, EXPECTED_BYTES = 1600, ALIGN = 64 };

struct place {
	pid_t pid, tid;
	uint32_t claimed, done;
	uint32_t at, len; /* at: in units of ALIGN */
};
struct status_ahead {
	size_t size, n_max, texts; /* texts: where they begin */
	pid_t helper;
	uint32_t first, n; /* the caller's round: places from first to n */
	uint32_t go, from, to; /* changed, and the round that the helper is to read */
	struct place place[];
};

static bool claim(struct place *p)
{
	return !__atomic_exchange_n(&p->claimed, 1, __ATOMIC_ACQ_REL);
}

/* Yields how many bytes it wrote, 0: none. */
static size_t read_status(const struct place *p, char *to)
{
	char path[64];
	_close_ int fd = -1;
	long n;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/status", p->pid, p->tid); /* fits */
	fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	n = fd < 0 ? fd : sys(SYS_read, fd, to, TEXT_BYTES - 1);
	if (n <= 0 || n == TEXT_BYTES - 1)
		return 0;
	to[n] = 0;
	return (size_t)n;
}

/* One round, or what is left of it when the next one begins. Yields where texts go on. */
static size_t read_round(struct status_ahead *a, uint32_t go, size_t at)
{
	uint32_t to = __atomic_load_n(&a->to, __ATOMIC_ACQUIRE);
	uint32_t from = __atomic_load_n(&a->from, __ATOMIC_RELAXED);

	while (to-- > from && __atomic_load_n(&a->go, __ATOMIC_ACQUIRE) == go) {
		struct place *p = &a->place[to];

		if (at + TEXT_BYTES > a->size)
			return at;
		if (!claim(p))
			continue;
		p->len = (uint32_t)read_status(p, (char *)a + at);
		p->at = (uint32_t)(at / ALIGN);
		at += (p->len + ALIGN) / ALIGN * ALIGN;
		__atomic_store_n(&p->done, 1, __ATOMIC_RELEASE);
	}
	return at;
}

static _Noreturn void help(struct status_ahead *a, pid_t caller)
{
	size_t at = a->texts;
	uint32_t go = 0;

	(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* cannot fail */
	if ((pid_t)sys(SYS_getppid) != caller)
		_exit(0);
	for (;;) {
		while (__atomic_load_n(&a->go, __ATOMIC_ACQUIRE) == go)
			(void)sys(SYS_futex, &a->go, FUTEX_WAIT, go, 0, 0, 0); /* the loop judges */
		go = __atomic_load_n(&a->go, __ATOMIC_ACQUIRE);
		at = read_round(a, go, at);
	}
}

struct status_ahead *status_ahead_new(size_t n)
{
	size_t texts = (sizeof(struct status_ahead) + (n + 1) * sizeof(struct place) + ALIGN - 1) /
		       ALIGN * ALIGN;
	size_t size = texts + n * TEXT_BYTES;
	pid_t self = (pid_t)sys(SYS_getpid);
	struct status_ahead *a;
	long r;

	if (fault_armed() || !own_other_cpus()) /* counted calls must not depend on a race */
		return NULL;
	r = sys(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r < 0)
		return NULL;
	a = (struct status_ahead *)r;
	(void)sys(SYS_madvise, a, texts + n * EXPECTED_BYTES / 2, MADV_POPULATE_WRITE); /* speed */
	a->size = size;
	a->n_max = n + 1;
	a->texts = texts;
	a->first = a->n = 1; /* place 0 is nobody's */
	r = clone_process(0, 0, 0);
	if (!r)
		help(a, self);
	if (r < 0) {
		(void)sys(SYS_munmap, a, size); /* ours, whole */
		return NULL;
	}
	a->helper = (pid_t)r;
	return a;
}

void status_ahead_forget(struct status_ahead *a)
{
	if (a)
		a->first = a->n;
}

uint32_t status_ahead_add(struct status_ahead *a, pid_t pid, pid_t tid)
{
	if (!a || a->n == a->n_max)
		return 0;
	a->place[a->n] = (struct place){ .pid = pid, .tid = tid };
	return a->n++;
}

/* A helper that is in the middle of a round may take the bounds of two: all places are full. */
void status_ahead_go(struct status_ahead *a)
{
	if (!a || a->first == a->n)
		return;
	__atomic_store_n(&a->from, a->first, __ATOMIC_RELAXED);
	__atomic_store_n(&a->to, a->n, __ATOMIC_RELEASE);
	(void)__atomic_add_fetch(&a->go, 1, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, &a->go, FUTEX_WAKE, 1, 0, 0, 0); /* one waits at most */
}

bool status_ahead_take(struct status_ahead *a, uint32_t place, struct span *ret)
{
	struct place *p = a && place >= a->first && place < a->n ? &a->place[place] : NULL;

	if (!p || claim(p) || !__atomic_load_n(&p->done, __ATOMIC_ACQUIRE) || !p->len)
		return false;
	*ret = (struct span){ (char *)a + (size_t)p->at * ALIGN, p->len };
	return true;
}

void status_ahead_free(struct status_ahead *a)
{
	if (!a)
		return;
	(void)sys(SYS_kill, a->helper, SIGKILL); /* ours until it is reaped */
	(void)sys(SYS_waitid, P_PID, a->helper, 0, WEXITED | __WALL, 0);
	(void)sys(SYS_munmap, a, a->size); /* ours, whole */
}
