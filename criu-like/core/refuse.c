/* The list of everything that stands against a dump or a restore: object, task, reason, remedy. */
#include "core/refuse.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

void blockers_init(struct blockers *b, struct arena *a)
{
	*b = (struct blockers){ .arena = a };
}

int refuse(struct blockers *b, pid_t pid, const char *object, const char *reason,
	   const char *remedy)
{
	struct blocker *n;

	vec_foreach(o, &b->list)
		if (o->pid == pid && !strcmp(o->object, object) && !strcmp(o->reason, reason))
			return -ENOTSUP;
	n = vec_push(b->arena, &b->list);
	*n = (struct blocker){ pid, arena_strdup(b->arena, object), arena_strdup(b->arena, reason),
			       remedy ? arena_strdup(b->arena, remedy) : NULL, false };
	return -ENOTSUP;
}

bool blockers_may_pass(const struct blockers *b)
{
	vec_foreach(o, &b->list)
		if (!o->passing)
			return false;
	return b->list.n;
}

int blockers_report(const struct blockers *b)
{
	vec_foreach(o, &b->list) {
		if (o->pid)
			log_error("task %d: %s: %s%s%s", o->pid, o->object, o->reason,
				  o->remedy ? "; " : "", o->remedy ? o->remedy : "");
		else
			log_error("%s: %s%s%s", o->object, o->reason, o->remedy ? "; " : "",
				  o->remedy ? o->remedy : "");
	}
	return b->list.n ? -ENOTSUP : 0;
}
