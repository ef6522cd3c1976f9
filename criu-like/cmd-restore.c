/*
 * torpor restore: settings -> options of the conductor. Without -d the command stays until the root
 * ends, hands signals on to it, and ends with its status; it holds none of its descriptors then, so
 * that nobody waits for an end of file because of it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "cmd.h"
#include "kernel/signal.h"
#include "kernel/sys.h"
#include "place.h"
#include "restore.h"

static struct restore_options options_of(const struct invocation *in, const struct place *p)
{
	const struct settings *s = in->set;

	return (struct restore_options){
		.images_fd = p->images_fd,
		.work_fd = p->work_fd,
		.detach = s->detach,
		.sibling = s->sibling,
		.leave_stopped = s->leave_stopped,
		.shell_job = s->shell_job,
		.tcp_close = s->tcp_close,
		.no_network_lock = s->network_lock == LOCK_SKIP,
		.map_ip = terminated(in->arena, &s->map_ip),
		.plan_only = s->plan,
		.show_stats = s->statistics,
		.pidfile = s->pidfile,
		.action_script = terminated(in->arena, &s->action_script),
		.external = terminated(in->arena, &s->external),
	};
}

static int status_of_root(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Orphans of the tree come to us as well, because the restore made us their reaper. */
static bool reap_all(pid_t root, int *ret_status)
{
	int status;
	pid_t pid;

	while ((pid = signal_reap(-1, true, &status)) > 0)
		if (pid == root) {
			*ret_status = status_of_root(status);
			return true;
		}
	if (pid != -ECHILD)
		return false;
	*ret_status = 0; /* a debugger took it over, or the fault of a test */
	return true;
}

/* What a terminal sends goes to the tree without us: it is in the same group then. */
static int wait_for_root(pid_t root)
{
	const uint64_t set = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGTERM) |
			     SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGQUIT);
	int status = STATUS_FAILED;
	bool terminal;

	(void)signal_block(set); /* they have been since the restore began */
	while (!reap_all(root, &status)) {
		int sig = signal_take(set, &terminal);

		if (sig > 0 && sig != SIGCHLD && !terminal)
			(void)sys(SYS_kill, root, sig); /* it may have ended in this moment */
	}
	return status;
}

int cmd_restore(const struct invocation *in)
{
	_place_close_ struct place place = { -1, -1, -1 };
	const struct settings *s = in->set;
	struct restore_options o;
	pid_t root = 0;
	int r;

	if (s->sibling && !s->detach)
		return usage_error(in, "restore: --restore-sibling needs --restore-detached");
	signal_hold_interrupts();
	if (place_open(s, in->criu ? PLACE_CRIU : 0, "restore.log", &place))
		return STATUS_FAILED;
	o = options_of(in, &place);
	r = inherit_list(in, &o.inherit);
	r = r ?: map_ip_check(in);
	if (r)
		return r;
	r = restore_run(&o, &root);
	if (!r && !o.plan_only)
		r = tell_status_fd(s);
	if (r || o.plan_only || o.detach)
		return status_of(r);
	place_close(&place);
	(void)sys(SYS_close_range, 3, ~0u, 0); /* nothing of it is needed, whatever it is */
	return wait_for_root(root);
}
