/*
 * coredump_filter, an attribute of the address space, is a file of /proc on both sides. Kernels
 * without core dumps have none: no record then. It survives the replacement of all mappings, so the
 * forked task writes it before the blob.
 */
#include <stdio.h>

#include "base/err.h"
#include "core/kind.h"
#include "coredump_filter.pb-c.h"
#include "kernel/own.h"
#include "kernel/proc.h"

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	struct proc_dir proc = { t->task->proc_fd, t->task->pid };
	struct span text;
	int r = proc_read_record(&d->arena, &proc, "coredump_filter", &text);

	(void)answers;
	if (r == -ENOENT)
		return KIND_NOTHING;
	if (!r)
		r = span_u32(span_trim(text), 16, &((CoredumpFilter *)msg)->bits);
	return r ? fail(r, "read /proc/%d/coredump_filter", t->task->pid) : 0;
}

static int apply(struct self *s, const void *msg)
{
	char text[16];
	int r;

	(void)s;
	(void)snprintf(text, sizeof(text), "0x%x", ((const CoredumpFilter *)msg)->bits);
	r = own_write("coredump_filter", text);
	return r ? fail(r, "set coredump_filter to %s", text) : 0;
}

const struct task_kind kind_coredump_filter = {
	"coredump_filter", &coredump_filter__descriptor,
	SCOPE_TASK,	   OBJECT_MM,
	.optional = true,  .dump = dump,
	.apply = apply,
};
