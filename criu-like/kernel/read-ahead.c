/*
 * The kernel makes the text of a file of /proc when it is read, and for smaps that means a walk
 * over all pages: with hundreds of processes a good part of the time they are stopped. So a forked
 * helper reads from one end of the list while the caller uses it from the other; whoever claims a
 * file first reads it. The text lies in a shared mapping, of which nothing is used that is not
 * written. The helper dies with the caller and has no part in anything else.
 */
#include "kernel/read-ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "kernel/clone.h"
#include "kernel/sys.h"

enum { TEXT_BYTES = 256 << 20, NAME_BYTES = 16 };
enum { READING, DONE, FAILED };

struct item {
	pid_t pid;
	uint32_t claimed, state;
	size_t at, len;
};
struct read_ahead {
	size_t size, n, n_max;
	pid_t helper;
	uint32_t go;
	char name[NAME_BYTES];
	struct item item[];
};

static char *text_of(struct read_ahead *a)
{
	return (char *)&a->item[a->n_max];
}

static bool claim(struct item *i)
{
	return !__atomic_exchange_n(&i->claimed, 1, __ATOMIC_ACQ_REL);
}

/* Yields how many bytes, or -errno. */
static long read_whole(const struct read_ahead *a, const struct item *i, char *to, size_t room)
{
	char path[32 + NAME_BYTES];
	size_t len = 0;
	long fd, n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", i->pid, a->name); /* always fits */
	fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	while ((n = sys(SYS_read, fd, to + len, room - len)) > 0)
		len += (size_t)n;
	(void)sys(SYS_close, fd); /* only read */
	return n < 0 ? n : len < room ? (long)len : -ENOSPC;
}

static _Noreturn void help(struct read_ahead *a, pid_t caller)
{
	size_t used = 0, room = a->size - (size_t)(text_of(a) - (char *)a);

	(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* cannot fail */
	if ((pid_t)sys(SYS_getppid) != caller)
		_exit(0);
	while (!__atomic_load_n(&a->go, __ATOMIC_ACQUIRE))
		(void)sys(SYS_futex, &a->go, FUTEX_WAIT, 0, 0, 0, 0); /* asked again in any case */
	for (size_t i = a->n; i-- > 0;) {
		struct item *item = &a->item[i];
		long n = claim(item) ? read_whole(a, item, text_of(a) + used, room - used) : 0;

		if (n > 0) {
			item->at = used;
			item->len = (size_t)n;
			used += (size_t)n + 1; /* a zero behind each, as everywhere */
		}
		__atomic_store_n(&item->state, n > 0 ? DONE : FAILED, __ATOMIC_RELEASE);
	}
	_exit(0);
}

static bool other_cpus(void)
{
	uint64_t mask[128] = { 0 };
	int n = 0;

	if (sys(SYS_sched_getaffinity, 0, sizeof(mask), mask) <= 0)
		return false;
	for (size_t i = 0; i < sizeof(mask) / sizeof(*mask); i++)
		n += __builtin_popcountll(mask[i]);
	return n > 1;
}

struct read_ahead *read_ahead_new(size_t n)
{
	size_t size = sizeof(struct read_ahead) + n * sizeof(struct item) + TEXT_BYTES;
	pid_t self = (pid_t)sys(SYS_getpid);
	struct read_ahead *a;
	long r;

	if (fault_armed() || !other_cpus()) /* counted calls must not depend on a race */
		return NULL;
	r = sys(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r < 0)
		return NULL;
	a = (struct read_ahead *)r;
	a->size = size;
	a->n_max = n;
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

void read_ahead_go(struct read_ahead *a, const pid_t *pid, size_t n, const char *name)
{
	if (!a || a->n)
		return;
	a->n = n < a->n_max ? n : a->n_max;
	for (size_t i = 0; i < a->n; i++)
		a->item[i].pid = pid[i];
	(void)snprintf(a->name, sizeof(a->name), "%s", name); /* names are short */
	__atomic_store_n(&a->go, 1, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, &a->go, FUTEX_WAKE, 1, 0, 0, 0); /* one waits at most */
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
	struct item *item = a && i < a->n ? &a->item[i] : NULL;
	uint32_t state;

	if (!item || claim(item))
		return false;
	while ((state = __atomic_load_n(&item->state, __ATOMIC_ACQUIRE)) == READING) {
		if (ended(a) && __atomic_load_n(&item->state, __ATOMIC_ACQUIRE) == READING)
			return false;	    /* killed by somebody */
		(void)sys(SYS_sched_yield); /* a fraction of a millisecond */
	}
	*ret = (struct span){ text_of(a) + item->at, item->len };
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
