/*
 * The audit login uid, a file on both sides where the kernel has auditing. Written only when it
 * differs: a value that is set can be changed with CAP_AUDIT_CONTROL only, and not at all when
 * auditing made it immutable. That is a warning: it matters to nothing but the audit log.
 */
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "core/kind.h"
#include "kernel/own.h"
#include "kernel/proc.h"
#include "loginuid.pb-c.h"

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	struct proc_dir proc = { t->task->proc_fd, t->task->pid };
	struct span text;
	int r = proc_read_record(&d->arena, &proc, "loginuid", &text);

	(void)answers;
	if (r == -ENOENT)
		return KIND_NOTHING;
	if (!r)
		r = span_u32(span_trim(text), 10, &((Loginuid *)msg)->uid);
	return r ? fail(r, "read /proc/%d/loginuid", t->task->pid) : 0;
}

static int apply(struct self *s, const void *msg)
{
	uint32_t wanted = ((const Loginuid *)msg)->uid, have;
	char text[16];
	int r = own_read("loginuid", text, sizeof(text));

	(void)s;
	if (r == -ENOENT)
		return 0;
	if (r < 0 || span_u32(span_of(text), 10, &have))
		return fail(r < 0 ? r : -EINVAL, "read the login uid");
	if (have == wanted)
		return 0;
	(void)snprintf(text, sizeof(text), "%u", wanted);
	r = own_write("loginuid", text);
	if (r == -EPERM)
		log_warn("login uid stays %u instead of %u: changing it is not permitted", have,
			 wanted);
	return r && r != -EPERM ? fail(r, "set the login uid to %u", wanted) : 0;
}

const struct task_kind kind_loginuid = {
	"loginuid",	  &loginuid__descriptor, SCOPE_TASK,
	.optional = true, .dump = dump,		 .apply = apply,
};
