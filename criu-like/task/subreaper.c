/*
 * PR_SET_CHILD_SUBREAPER of a process, asked inside. The call also marks descendants that exist
 * already, so it may come after the fork stage; before, orphans of the restore itself would be
 * reparented to the wrong process.
 */
#include <sys/prctl.h>

#include "core/kind.h"
#include "kernel/sys.h"
#include "subreaper.pb-c.h"

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	(void)d, (void)t;
	prog_call(p, SYS_prctl, PR_GET_CHILD_SUBREAPER, prog_out(p, answers, sizeof(int32_t)));
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	(void)d, (void)t;
	((Subreaper *)msg)->subreaper = *(const int32_t *)answers != 0;
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	if (at->stage == STAGE_CREDS)
		prog_call(p, SYS_prctl, PR_SET_CHILD_SUBREAPER, ((const Subreaper *)msg)->subreaper,
			  0, 0, 0);
	return 0;
}

const struct task_kind kind_subreaper = {
	"subreaper", &subreaper__descriptor, SCOPE_TASK,     .answer_bytes = sizeof(int64_t),
	.ask = ask,  .dump = dump,	     .stage = stage,
};
