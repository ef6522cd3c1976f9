/*
 * Reading a connection needs repair mode (TCP_REPAIR), and reading a queue of datagrams a moving
 * offset (SO_PEEK_OFF). Both are states of the target's own socket and would outlive a tool that is
 * killed in these microseconds. So a second process stands by: it sleeps until the kernel tells it
 * that the tool died (PDEATHSIG), mends the socket that a shared page names, and ends. It takes its
 * own copy of the socket then, and holds nothing else of the tool but the descriptor that the
 * network lock lives by: so that lasts until then. Both killed at once leave the socket as it is.
 */
#include "core/net-guard.h"

#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/net-lock.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"
#include "kernel/signal.h"

enum { REPAIR_OFF_SILENT = -1, SIGNAL_OF_DEATH = SIGUSR1, PAGE_BYTES = 4096 };

struct guard_page {
	uint32_t ready;
	uint32_t used; /* `it` is changed, or about to be */
	struct net_guarded it;
};
struct net_guard {
	struct guard_page *page;
	pid_t pid;
};

static int set(int fd, int level, int name, int value)
{
	return (int)sys(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

int net_guard_mend(int fd, const struct net_guarded *g)
{
	int r, e;

	if (!g->repair)
		return set(fd, SOL_SOCKET, SO_PEEK_OFF, g->peek);
	r = set(fd, IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_SILENT);
	e = set(fd, SOL_SOCKET, SO_REUSEADDR, g->reuse);
	r = r ? r : e;
	e = g->peek < 0 ? 0 : set(fd, SOL_SOCKET, SO_PEEK_OFF, g->peek);
	return r ? r : e;
}

/* Nobody is left to be told of a failure. */
static void mend_alone(const struct net_guarded *g)
{
	_close_ int pidfd = (int)sys(SYS_pidfd_open, g->pid, 0);
	_close_ int fd = pidfd < 0 ? -1 : sys_pidfd_getfd(pidfd, g->number);

	if (fd >= 0)
		(void)net_guard_mend(fd, g);
}

/* Locks on files of the tool end with the tool. */
static void close_others(int keep)
{
	if (keep > 0)
		(void)sys_close_range(0, (unsigned int)keep - 1, 0); /* cannot fail */
	(void)sys_close_range((unsigned int)(keep + 1), ~0u, 0);     /* as above */
}

static _Noreturn void watch(struct guard_page *page, pid_t tool, int lock)
{
	const uint64_t death = SIGNAL_BIT(SIGNAL_OF_DEATH);

	(void)signal_set_mask(~0ull); /* what else could be done */
	close_others(lock);
	if (sys(SYS_prctl, PR_SET_PDEATHSIG, SIGNAL_OF_DEATH) < 0)
		_exit(1);
	__atomic_store_n(&page->ready, 1, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, &page->ready, FUTEX_WAKE, 1, 0, 0, 0); /* it looks again by itself */
	while (sys(SYS_getppid) == tool)
		(void)sys(SYS_rt_sigtimedwait, &death, NULL, NULL,
			  sizeof(death)); /* judged above */
	if (__atomic_load_n(&page->used, __ATOMIC_ACQUIRE))
		mend_alone(&page->it);
	_exit(0);
}

static int wait_until_ready(struct net_guard *g)
{
	const struct timespec look_up = { 0, 10 * 1000 * 1000 };

	while (!__atomic_load_n(&g->page->ready, __ATOMIC_ACQUIRE)) {
		if (sys(SYS_wait4, g->pid, NULL, __WALL | WNOHANG, NULL) == g->pid)
			return -ECHILD;
		(void)sys(SYS_futex, &g->page->ready, FUTEX_WAIT, 0, &look_up, 0, 0); /* as above */
	}
	return 0;
}

static int start(struct dump *d, int lock)
{
	struct net_guard *g = arena_new(&d->arena, struct net_guard);
	long p = sys(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	pid_t tool = (pid_t)sys(SYS_getpid);
	int r;

	if (p < 0)
		return fail(p, "map a page");
	g->page = (void *)p;
	g->pid = (pid_t)clone_process(0, 0, 0);
	if (!g->pid)
		watch(g->page, tool, lock);
	r = g->pid < 0 ? g->pid : wait_until_ready(g);
	if (r)
		return fail(r, "start a process to guard the sockets");
	d->guard = g;
	return 0;
}

int net_guard_set(struct dump *d, const struct net_guarded *g)
{
	int r = d->guard ? 0 : start(d, net_lock_socket(d));

	if (r)
		return r;
	d->guard->page->it = *g;
	__atomic_store_n(&d->guard->page->used, 1, __ATOMIC_RELEASE);
	return 0;
}

void net_guard_clear(struct dump *d)
{
	__atomic_store_n(&d->guard->page->used, 0, __ATOMIC_RELEASE);
}

void net_guard_end(struct dump *d)
{
	struct net_guard *g = d->guard;

	d->guard = NULL;
	if (!g)
		return;
	/* Our own child; should it live on for any reason, it ends when we do. */
	if (!sys(SYS_kill, g->pid, SIGKILL) || !sys(SYS_kill, g->pid, SIGKILL))
		(void)sys(SYS_wait4, g->pid, NULL, __WALL, NULL); /* as above */
	(void)sys(SYS_munmap, (void *)g->page, PAGE_BYTES); /* our own page */
}
