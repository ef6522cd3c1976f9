/*
 * What no mapping tells of an address space. The program break: the heap ends on a page boundary
 * and is absent while the break is at its start; brk(0) inside the task yields it, and it is put
 * back with the other limits (core/memory/memory-stage.c), so that the next brk() goes on from
 * there. And the state set by mlockall(MCL_FUTURE), which shows on the blob's own mapping.
 */
#include <sys/syscall.h>

#include "brk.pb-c.h"
#include "core/kind.h"
#include "core/memory/memory.h"

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	(void)d;
	(void)t;
	prog_where(p, "program break");
	prog_call(p, SYS_brk, 0);
	prog_result(p, answers);
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	Brk *m = msg;

	m->brk = *(const uint64_t *)answers;
	m->has_lock_future = 1;
	return memory_lock_future(d, t->task, &m->lock_future);
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Brk *m = msg;

	return memory_set_brk(r, t->task, m->brk)
		       ?: memory_set_lock_future(r, t->task, m->lock_future);
}

const struct task_kind kind_brk = {
	.name = "brk", .descriptor = &brk__descriptor, .scope = SCOPE_TASK, .object = OBJECT_MM,
	.answer_bytes = sizeof(int64_t), .ask = ask, .dump = dump, .plan = plan,
};
