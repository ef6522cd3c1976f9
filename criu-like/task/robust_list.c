/*
 * The head of a thread's list of robust futexes, told from outside by get_robust_list(2). Set only
 * when the memory is final: the kernel walks the list when the thread dies. The second head that
 * 32-bit code would use is not restored (32-bit tasks are refused elsewhere).
 */
#include "base/err.h"
#include "core/kind.h"
#include "kernel/sched.h"
#include "robust_list.pb-c.h"

enum { HEAD_BYTES = 24 };

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	RobustList *m = msg;
	uint64_t head, len;
	long r = sys_get_robust_list(t->tid, &head, &len);

	(void)d, (void)answers;
	if (r < 0)
		return fail(r, "ask for the robust list of thread %d", t->tid);
	m->head = head;
	m->len = len;
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const RobustList *m = msg;

	(void)r, (void)t;
	return m->len == HEAD_BYTES ? 0
				    : fail(-EPROTO, "robust list head of %llu bytes",
					   (unsigned long long)m->len);
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const RobustList *m = msg;

	if (at->stage == STAGE_THREAD)
		prog_call(p, SYS_set_robust_list, m->head, m->len);
	return 0;
}

const struct task_kind kind_robust_list = {
	"robust_list", &robust_list__descriptor, SCOPE_THREAD, .dump = dump,
	.plan = plan,  .stage = stage,
};
