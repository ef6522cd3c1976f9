/*
 * The commit of a restore as one step. Each process of the tree is released from the tool's death
 * (PTRACE_O_EXITKILL) by a call of its own, so a tool that is killed among these calls would leave
 * a part of the tree. Therefore a second process stands by while they are made: it sleeps until the
 * kernel tells it that the tool died (PDEATHSIG), and ends the whole tree unless a word in a shared
 * page says that all are released. That word is the commit. A tree of one process needs none.
 *
 * Limit: what was released already runs for the microseconds until it is killed.
 */
#include "core/build/commit-guard.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

enum { SIGNAL_OF_DEATH = SIGUSR1, PAGE_BYTES = 4096 };

struct commit_page {
	uint32_t ready, committed;
};

static void kill_all(const struct restore *r)
{
	vec_foreach(t, &r->tree.task)
		if ((*t)->state != TASK_ZOMBIE)
			(void)sys(SYS_kill, (*t)->pid, SIGKILL); /* ESRCH: it is gone already */
}

static _Noreturn void watch(const struct restore *r, struct commit_page *page, pid_t tool)
{
	const uint64_t death = SIGNAL_BIT(SIGNAL_OF_DEATH);

	fault_off();
	(void)signal_set_mask(~0ull);	     /* what else could be done */
	(void)sys_close_range(0, ~0u, 0);    /* cannot fail */
	if (sys(SYS_prctl, PR_SET_PDEATHSIG, SIGNAL_OF_DEATH) < 0)
		_exit(1);
	__atomic_store_n(&page->ready, 1, __ATOMIC_RELEASE);
	(void)sys(SYS_futex, &page->ready, FUTEX_WAKE, 1, 0, 0, 0); /* it looks again by itself */
	while (sys(SYS_getppid) == tool)
		(void)sys(SYS_rt_sigtimedwait, &death, NULL, NULL,
			  sizeof(death)); /* judged above */
	if (!__atomic_load_n(&page->committed, __ATOMIC_ACQUIRE))
		kill_all(r);
	_exit(0);
}

static int wait_until_ready(struct commit_guard *g)
{
	const struct timespec look_up = { 0, 10 * 1000 * 1000 };

	while (!__atomic_load_n(&g->page->ready, __ATOMIC_ACQUIRE)) {
		if (sys(SYS_wait4, g->pid, NULL, __WALL | WNOHANG, NULL) == g->pid)
			return -ECHILD;
		(void)sys(SYS_futex, &g->page->ready, FUTEX_WAIT, 0, &look_up, 0, 0); /* as above */
	}
	return 0;
}

int commit_guard_begin(struct restore *r, struct commit_guard *ret)
{
	pid_t tool = (pid_t)sys(SYS_getpid);
	struct commit_guard g = { 0 };
	size_t live = 0;
	long p;
	int k;

	vec_foreach(t, &r->tree.task)
		live += (*t)->state != TASK_ZOMBIE;
	*ret = g;
	if (live < 2)
		return 0;
	p = sys(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	if (p < 0)
		return fail(p, "map a page");
	g.page = (void *)p;
	g.pid = (pid_t)clone_process(0, 0, 0);
	if (!g.pid)
		watch(r, g.page, tool);
	k = g.pid < 0 ? g.pid : wait_until_ready(&g);
	*ret = g;
	return k ? fail(k, "start a process to guard the commit") : 0;
}

void commit_guard_pass(struct commit_guard *g)
{
	if (g->page)
		__atomic_store_n(&g->page->committed, 1, __ATOMIC_RELEASE);
}

void commit_guard_end(struct commit_guard *g)
{
	/* Our own child; should it live on for any reason, it ends when we do. */
	if (g->pid > 0 && (!sys(SYS_kill, g->pid, SIGKILL) || !sys(SYS_kill, g->pid, SIGKILL)))
		(void)sys(SYS_wait4, g->pid, NULL, __WALL, NULL); /* as above */
	if (g->page)
		(void)sys(SYS_munmap, (void *)g->page, PAGE_BYTES); /* our own page */
	*g = (struct commit_guard){ 0 };
}
