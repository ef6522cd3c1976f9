/*
 * Processes that exist for a moment during a restore, because the kernel takes a fact from who
 * calls: the pid in SO_PEERCRED, a pidfd of a process that is gone, a file of /proc/PID. They share
 * the descriptor table of their maker, so what they open is his, and wait in a pipe until they may
 * go.
 */
#include "core/build/stand-in.h"

#include <errno.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"

enum { FAILED_CODE = 255 };

static int become(const struct stand_in *s)
{
	long r;

	(void)sys(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP); /* or it does without */
	r = s->set_groups ? sys(SYS_setgroups, s->n_group, s->group) : 0;
	if (!r && s->gid != (gid_t)-1)
		r = sys(SYS_setresgid, s->gid, s->gid, s->gid);

	if (!r && s->uid != (uid_t)-1)
		r = sys(SYS_setresuid, s->uid, s->uid, s->uid);
	return (int)r;
}

/* The descriptor table is shared: it must not close anything, nor leave any other way. */
static _Noreturn void live(const struct stand_in *s, pid_t maker, const int ready[2],
			   const int go[2])
{
	long r = sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	char byte;

	if (r || sys(SYS_getppid) != maker) /* it died before: nobody would end us */
		_exit(FAILED_CODE);
	byte = (char)become(s);
	(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); /* a new user cleared it */
	if (sys(SYS_getppid) != maker)
		(void)sys(SYS_exit_group, FAILED_CODE);
	if (!byte && s->inside)
		byte = (char)s->inside(s->arg);
	/* The maker waits for the byte, or sees us die. */
	if (sys(SYS_write, ready[1], &byte, 1) == 1 && sys_read(go[0], &byte, 1) == 1)
		(void)sys(SYS_exit_group, s->exit_code);
	_exit(FAILED_CODE);
}

/* Its end of the pipe is ours too, so that its death does not show there. */
static int await(pid_t pid, int ready)
{
	struct pollfd p[2] = { { .fd = ready, .events = POLLIN }, { .events = POLLIN } };
	signed char byte = 0;
	long r;

	p[1].fd = (int)sys(SYS_pidfd_open, pid, 0);
	r = p[1].fd < 0 ? p[1].fd : sys(SYS_poll, p, 2, -1);
	fd_close(&p[1].fd);
	if (r < 0)
		return (int)r;
	if (!(p[0].revents & POLLIN))
		return -ECHILD;
	r = sys_read(ready, &byte, 1);
	return r < 0 ? (int)r : byte;
}

static int attend(const struct stand_in *s, pid_t pid, const int ready[2], const int go[2])
{
	const char byte = 0;
	int r = await(pid, ready[0]);

	if (!r && s->during)
		r = s->during(s->arg, pid);
	if (sys(SYS_write, go[1], &byte, 1) != 1)
		(void)sys(SYS_kill, pid, SIGKILL); /* our own child, which would wait for ever */
	return r;
}

int stand_in_run(const struct stand_in *s)
{
	int ready[2], go[2] = { -1, -1 }, r, status;
	pid_t maker;
	long w = 0, pid = sys(SYS_pipe2, ready, O_CLOEXEC);

	if (!pid)
		pid = sys(SYS_pipe2, go, O_CLOEXEC);
	if (pid)
		return fail(pid, "make a pipe for a stand-in");
	maker = (pid_t)sys(SYS_getpid);
	pid = maker < 0 ? maker : clone_process(s->pid, CLONE_FILES, 0);
	if (!pid)
		live(s, maker, ready, go);
	r = pid < 0 ? (int)pid : attend(s, (pid_t)pid, ready, go);
	while (pid > 0 && w != pid && w != -ECHILD) /* it must not read from another's pipe */
		w = sys(SYS_wait4, pid, &status, __WALL, NULL);
	for (int i = 0; i < 2; i++) {
		(void)sys_close(ready[i]); /* nothing is in them any more */
		(void)sys_close(go[i]);	   /* as above */
	}
	return r ? fail(r, "stand-in for process %d", s->pid) : 0;
}

int stand_in_start(pid_t pid)
{
	long r = clone_process(pid, CLONE_FILES, 0);

	if (!r) {
		(void)sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); /* cannot fail */
		while (true)
			(void)sys(SYS_ppoll, NULL, 0, NULL, NULL, 0); /* until it is killed */
	}
	return r < 0 ? fail(r, "stand-in for process %d", pid) : 0;
}

void stand_in_end(pid_t pid)
{
	(void)sys(SYS_kill, pid, SIGKILL); /* our own child */
	(void)sys(SYS_wait4, pid, NULL, __WALL, NULL);
}
