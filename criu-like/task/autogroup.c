/*
 * The nice value of a session's scheduling group (/proc/PID/autogroup: "/autogroup-12 nice 5").
 * setsid makes a new group, so the session leader writes it once its session exists; a session
 * whose leader has gone loses it.
 */
#include <stdio.h>

#include "autogroup.pb-c.h"
#include "base/err.h"
#include "core/kind.h"
#include "kernel/own.h"
#include "kernel/proc.h"

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	struct proc_dir proc = { t->task->proc_fd, t->task->pid };
	struct span text, word = { 0 };
	int64_t nice;
	int r;

	(void)answers;
	if (t->task->sid != t->task->pid)
		return KIND_NOTHING;
	r = proc_read_record(&d->arena, &proc, "autogroup", &text);
	if (r == -ENOENT || (!r && !text.len))
		return KIND_NOTHING;
	if (r)
		return fail(r, "read /proc/%d/autogroup", t->task->pid);
	text = span_trim(text);
	while (span_word(&text, &word))
		continue;
	if (span_i64(word, 10, &nice))
		return fail(-EINVAL, "/proc/%d/autogroup is not as expected", t->task->pid);
	((Autogroup *)msg)->nice = (int32_t)nice;
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	int32_t nice = ((const Autogroup *)msg)->nice;

	(void)r, (void)t;
	return nice < -20 || nice > 19 ? fail(-EPROTO, "autogroup nice value %d", nice) : 0;
}

static int apply(struct self *s, const void *msg)
{
	char text[16];
	int r;

	if (s->task->sid != s->task->pid)
		return 0;
	(void)snprintf(text, sizeof(text), "%d", ((const Autogroup *)msg)->nice);
	r = own_write("autogroup", text);
	return r && r != -ENOENT ? fail(r, "set the autogroup's nice value to %s", text) : 0;
}

const struct task_kind kind_autogroup = {
	"autogroup",  &autogroup__descriptor, SCOPE_TASK,     .optional = true,
	.dump = dump, .plan = plan,	      .apply = apply,
};
