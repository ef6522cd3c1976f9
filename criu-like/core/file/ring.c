/*
 * What is remembered of rings between the look from outside, the questions inside and the dump of
 * descriptors: kinds of different sorts ask and answer.
 */
#include "core/file/ring.h"

void ring_note(struct dump *d, pid_t pid, int number)
{
	if (!d->rings)
		d->rings = arena_new(&d->arena, struct rings);
	*vec_push(&d->arena, &d->rings->v) = (struct ring){ .pid = pid, .number = number };
}

struct ring *ring_find(const struct dump *d, pid_t pid, int number)
{
	for (size_t i = 0; d->rings && i < d->rings->v.n; i++)
		if (d->rings->v.v[i].pid == pid && d->rings->v.v[i].number == number)
			return &d->rings->v.v[i];
	return NULL;
}
