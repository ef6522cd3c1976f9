/*
 * torpor dump: settings -> options of the conductor. SIGINT, SIGTERM and SIGHUP are held back from
 * the first step to the last and looked for between steps.
 */
#include "cmd.h"
#include "dump.h"
#include "kernel/signal.h"
#include "place.h"

static struct dump_options options_of(const struct invocation *in, const struct place *p)
{
	const struct settings *s = in->set;

	return (struct dump_options){
		.pid = s->pid,
		.images_fd = p->images_fd,
		.work_fd = p->work_fd,
		.leave_running = s->leave_running,
		.leave_stopped = s->leave_stopped,
		.shell_job = s->shell_job,
		.file_locks = s->file_locks,
		.link_remap = s->link_remap,
		.ext_unix_sk = s->ext_unix_sk,
		.tcp_established = s->tcp_established,
		.tcp_close = s->tcp_close,
		.skip_in_flight = s->skip_in_flight,
		.no_network_lock = s->network_lock == LOCK_SKIP,
		.no_sync = s->no_sync,
		.cancel_requests = s->cancel_requests,
		.show_stats = s->statistics,
		.ghost_limit_bytes = s->ghost_limit_bytes,
		.timeout_s = s->timeout_s,
		/* Under the name criu only the stop is bounded. */
		.bound_s = in->criu ? 0 : s->timeout_s,
		.pidfile = in->criu ? NULL : s->pidfile,
		.action_script = terminated(in->arena, &s->action_script),
		.external = terminated(in->arena, &s->external),
		.fd_policy = terminated(in->arena, &s->fd_policy),
	};
}

int cmd_dump(const struct invocation *in)
{
	unsigned int flags = in->criu ? PLACE_CRIU : PLACE_CREATE;
	_place_close_ struct place place = { -1, -1, -1 };
	struct dump_options o;
	int r;

	if (!in->set->pid)
		return usage_error(in, "dump: -t PID is missing");
	signal_hold_interrupts();
	if (place_open(in->set, flags, "dump.log", &place))
		return STATUS_FAILED;
	o = options_of(in, &place);
	r = dump_run(&o);
	return status_of(r ?: tell_status_fd(in->set));
}
