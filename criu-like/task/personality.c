/*
 * The personality of a thread. Told by the system call itself, hence asked inside, and set when all
 * mappings are final: READ_IMPLIES_EXEC changes the result of every later mmap, and
 * ADDR_COMPAT_LAYOUT the place.
 */
#include "core/kind.h"
#include "kernel/sys.h"
#include "personality.pb-c.h"

#define ONLY_ASK 0xffffffffu

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	(void)d, (void)t;
	prog_call(p, SYS_personality, ONLY_ASK);
	prog_result(p, answers);
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	(void)d, (void)t;
	((Personality *)msg)->personality = (uint32_t) * (const int64_t *)answers;
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	if (at->stage == STAGE_CREDS)
		prog_call(p, SYS_personality, ((const Personality *)msg)->personality);
	return 0;
}

const struct task_kind kind_personality = {
	"personality",	&personality__descriptor,
	SCOPE_THREAD,	.answer_bytes = sizeof(int64_t),
	.ask = ask,	.dump = dump,
	.stage = stage,
};
