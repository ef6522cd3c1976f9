/*
 * Running a user's script: fork, exec, wait. The tool's own descriptors are close-on-exec, so the
 * image directory is named through the tool's own table; signals are unblocked again for the
 * script, and SIGPIPE has its default action.
 */
#include "core/hook.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "kernel/clone.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

static int describe(const struct hooks *h, const char *point, pid_t tool, pid_t root)
{
	char pid[16], dir[48];

	(void)snprintf(pid, sizeof(pid), "%d", root);
	(void)snprintf(dir, sizeof(dir), "/proc/%d/fd/%d", tool, h->images_fd);
	return setenv("CRTOOLS_SCRIPT_ACTION", point, 1) || setenv("CRTOOLS_IMAGE_DIR", dir, 1) ||
	       (root ? setenv("CRTOOLS_INIT_PID", pid, 1) : unsetenv("CRTOOLS_INIT_PID"));
}

static _Noreturn void run(const struct hooks *h, const char *script, const char *point, pid_t root)
{
	const char *const argv[] = { script, point, NULL };

	signal_default(SIGPIPE);
	if (!signal_set_mask(0) && !describe(h, point, (pid_t)sys(SYS_getppid), root))
		(void)sys(SYS_execve, script, argv, environ);
	_exit(127);
}

static int run_one(const struct hooks *h, const char *script, const char *point, pid_t root)
{
	long pid = clone_process(0, 0, SIGCHLD), r;
	int status;

	if (!pid)
		run(h, script, point, root);
	if (pid < 0)
		return fail(pid, "start the script '%s'", script);
	r = signal_reap((pid_t)pid, false, &status);
	if (r < 0)
		return fail(r, "wait for the script '%s'", script);
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (status)
		log_error("the script '%s' failed at %s with status %d%s", script, point, status,
			  status == 127 ? "; it must be a program with its path" : "");
	return status;
}

int hook_run(const struct hooks *h, const char *point, pid_t root)
{
	int r = 0;

	for (const char *const *s = h->script; !r && s && *s; s++)
		r = run_one(h, *s, point, root);
	return r;
}
