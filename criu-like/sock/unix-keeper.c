/*
 * Options that a look into a queue changes for a moment, on the target's own socket, are put back
 * even if the tool is killed meanwhile: a process that shares the tool's descriptors waits for its
 * end, and finds in a shared page which options of which descriptor are to be what. It is started
 * when the first queue is looked into and ended when all descriptors are saved.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"
#include "sock/unix.h"

enum { MOST = 6 };

struct unix_keeper { /* in the shared page */
	pid_t pid;
	volatile int fd;
	volatile unsigned int n;
	struct {
		volatile int name, value;
	} option[MOST];
};

static _Noreturn void live(const struct unix_keeper *k, int tool)
{
	struct pollfd end = { tool, POLLIN, 0 };

	fault_off(); /* what it is for must not fail */
	while (sys(SYS_poll, &end, 1, -1) != 1)
		continue;
	for (unsigned int i = k->n; i-- > 0;) {
		int value = k->option[i].value;

		(void)sys(SYS_setsockopt, k->fd, SOL_SOCKET, k->option[i].name, &value,
			  sizeof(value)); /* nobody is left to be told */
	}
	(void)sys(SYS_exit_group, 0);
	_exit(0);
}

static int start(struct unix_keeper *k)
{
	const uint64_t all = ~0ull;
	uint64_t old = 0;
	int tool = (int)sys(SYS_pidfd_open, sys(SYS_getpid), 0);
	long pid = tool < 0 ? tool : sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));

	if (pid < 0)
		return (int)pid;
	pid = clone_process(0, CLONE_FILES, 0);
	if (!pid)
		live(k, tool);
	(void)sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old)); /* as it was */
	k->pid = (pid_t)pid;
	return pid < 0 ? (int)pid : 0;
}

int unix_keeper_begin(struct unix_space *s, int fd)
{
	long p;
	int r;

	if (!s->keeper) {
		p = sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
		if (p < 0 && p > -4096)
			return fail(p, "map a page");
		s->keeper = (struct unix_keeper *)p;
		r = start(s->keeper);
		if (r) {
			(void)sys(SYS_munmap, s->keeper, 4096); /* our own mapping */
			s->keeper = NULL;
			return fail(r, "start a process that puts socket options back");
		}
	}
	s->keeper->n = 0;
	s->keeper->fd = fd;
	return 0;
}

void unix_keeper_note(struct unix_space *s, int name, int value)
{
	struct unix_keeper *k = s->keeper;

	bug_on(k->n >= MOST, "more options than a look into a queue changes");
	k->option[k->n].name = name;
	k->option[k->n].value = value;
	k->n = k->n + 1; /* complete before it counts */
}

void unix_keeper_done(struct unix_space *s)
{
	s->keeper->n = 0;
}

void unix_keeper_end(struct unix_space *s)
{
	if (!s->keeper)
		return;
	(void)sys(SYS_kill, s->keeper->pid, SIGKILL); /* our own child */
	(void)sys(SYS_wait4, s->keeper->pid, NULL, __WALL, NULL);
	(void)sys(SYS_munmap, s->keeper, 4096); /* our own mapping */
	s->keeper = NULL;
}
