/*
 * The address that is cleared and woken when a thread exits: what pthread_join waits for. Asked
 * inside with prctl(PR_GET_TID_ADDRESS) (kernels with CONFIG_CHECKPOINT_RESTORE), set by the thread
 * itself when its memory is final.
 */
#include <sys/prctl.h>

#include "core/kind.h"
#include "kernel/sys.h"
#include "tid_address.pb-c.h"

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	(void)d, (void)t;
	prog_call(p, SYS_prctl, PR_GET_TID_ADDRESS, prog_out(p, answers, sizeof(uint64_t)));
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	(void)d, (void)t;
	((TidAddress *)msg)->address = *(const uint64_t *)answers;
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	if (at->stage == STAGE_THREAD)
		prog_call(p, SYS_set_tid_address, ((const TidAddress *)msg)->address);
	return 0;
}

const struct task_kind kind_tid_address = {
	"tid_address",	&tid_address__descriptor,
	SCOPE_THREAD,	.answer_bytes = sizeof(uint64_t),
	.ask = ask,	.dump = dump,
	.stage = stage,
};
