/*
 * What fdinfo tells about rings of io_uring, and what is remembered of them between the look from
 * outside, the questions inside and the dump of descriptors: kinds of different sorts ask and
 * answer.
 */
#include "core/file/ring.h"

#include <errno.h>

enum { MOST_ENTRIES = 65536 };

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

static bool has_lines(const struct fdinfo *i, const char *key)
{
	struct span text = i->text, rest, line;

	return fdinfo_next(&text, key, &rest) && span_line(&text, &line) && line.len &&
	       (line.p[0] == ' ' || line.p[0] == '\t');
}

/* "0x3f" */
static int mask_of(const struct fdinfo *i, const char *key, uint32_t *ret)
{
	struct span v;

	if (fdinfo_text(i, key, &v) || v.len < 3)
		return -EINVAL;
	return span_u32((struct span){ v.p + 2, v.len - 2 }, 16, ret);
}

int ring_info(const struct fdinfo *i, struct ring_info *ret)
{
	struct ring_info u = { 0 };
	struct span napi;
	uint32_t sq_mask, cq_mask;
	int64_t thread;

	if (!fdinfo_has(i, "SqHead") || !fdinfo_has(i, "PollList"))
		return -EAGAIN;
	if (mask_of(i, "SqMask", &sq_mask) || mask_of(i, "CqMask", &cq_mask) ||
	    fdinfo_u32(i, "SqHead", 10, &u.sq_head) ||
	    fdinfo_u32(i, "SqTail", 10, &u.sq_tail) || fdinfo_u32(i, "CqHead", 10, &u.cq_head) ||
	    fdinfo_u32(i, "CqTail", 10, &u.cq_tail) ||
	    fdinfo_u32(i, "CachedSqHead", 10, &u.cached_sq_head) ||
	    fdinfo_u32(i, "CachedCqTail", 10, &u.cached_cq_tail) ||
	    fdinfo_i64(i, "SqThread", 10, &thread))
		return -EINVAL;
	u.sq_entries = sq_mask + 1;
	u.cq_entries = cq_mask + 1;
	u.sq_thread = thread >= 0;
	u.polls = has_lines(i, "PollList");
	u.overflow = has_lines(i, "CqOverflowList");
	u.napi = !fdinfo_text(i, "NAPI", &napi) && !span_eq(napi, "disabled");
	if (u.sq_entries > MOST_ENTRIES || u.cq_entries > 2 * MOST_ENTRIES)
		return -EINVAL;
	*ret = u;
	return 0;
}
