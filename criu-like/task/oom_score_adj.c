/*
 * oom_score_adj of a process, a file of /proc on both sides. Also 0 is written, since the tool's
 * own value would be inherited. A value below the inherited minimum needs CAP_SYS_RESOURCE: refused
 * while planning.
 */
#include <linux/capability.h>
#include <stdio.h>

#include "base/err.h"
#include "core/kind.h"
#include "kernel/own.h"
#include "kernel/proc.h"
#include "oom_score_adj.pb-c.h"

enum { MOST = 1000 };

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	struct proc_dir proc = { t->task->proc_fd, t->task->pid };
	struct span text;
	int64_t value = 0;
	int r = proc_read_record(&d->arena, &proc, "oom_score_adj", &text);

	(void)answers;
	if (!r)
		r = span_i64(span_trim(text), 10, &value);
	if (r)
		return fail(r, "read /proc/%d/oom_score_adj", t->task->pid);
	((OomScoreAdj *)msg)->value = (int32_t)value;
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	int32_t wanted = ((const OomScoreAdj *)msg)->value;
	char own[32];
	int64_t have = 0;
	int n = own_read("oom_score_adj", own, sizeof(own));

	if (wanted < -MOST || wanted > MOST)
		return fail(-EPROTO, "oom_score_adj %d", wanted);
	n = n < 0 ? n : span_i64(span_of(own), 10, &have);
	if (n)
		return fail(n, "read the tool's oom_score_adj");
	if (wanted < 0 && wanted < have && !own_capable(CAP_SYS_RESOURCE))
		return refuse(&r->blockers, t->tid,
			      arena_printf(&r->arena, "oom_score_adj %d", wanted),
			      "it is below the tool's own and CAP_SYS_RESOURCE is missing",
			      "run the restore with a lower value");
	return 0;
}

static int apply(struct self *s, const void *msg)
{
	char text[16];
	int r;

	(void)s;
	(void)snprintf(text, sizeof(text), "%d", ((const OomScoreAdj *)msg)->value);
	r = own_write("oom_score_adj", text);
	return r ? fail(r, "set oom_score_adj to %s", text) : 0;
}

const struct task_kind kind_oom_score_adj = {
	"oom_score_adj", &oom_score_adj__descriptor, SCOPE_TASK, .dump = dump, .plan = plan,
	.apply = apply, .alike = true,
};
