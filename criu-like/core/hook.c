/*
 * Running a user's script: fork, exec, wait. The tool's own descriptors are close-on-exec; signals
 * are unblocked again for the script.
 */
#include "core/hook.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "kernel/clone.h"
#include "kernel/sys.h"

static _Noreturn void run(const char *script, const char *point, pid_t root)
{
	char pid[16];
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail */
	(void)snprintf(pid, sizeof(pid), "%d", root);
	if (!setenv("CRTOOLS_SCRIPT_ACTION", point, 1) &&
	    (!root || !setenv("CRTOOLS_INIT_PID", pid, 1)))
		(void)execl(script, script, point, (char *)NULL);
	_exit(127);
}

int hook_run(const char *const *script, const char *point, pid_t root)
{
	for (; script && *script; script++) {
		long pid = clone_process(0, 0, SIGCHLD), k;
		int status;

		if (!pid)
			run(*script, point, root);
		if (pid < 0)
			return fail(pid, "start the script '%s'", *script);
		do
			k = sys(SYS_wait4, pid, &status, __WALL, NULL);
		while (k == -EINTR);
		if (k < 0)
			return fail(k, "wait for the script '%s'", *script);
		if (status) {
			log_error("the script '%s' failed at %s with status %d", *script, point,
				  WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
			return -ECANCELED;
		}
	}
	return 0;
}
