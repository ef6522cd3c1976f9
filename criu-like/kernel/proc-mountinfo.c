/*
 * /proc/PID/mountinfo: the mounts reachable from a task's root, one line each.
 *
 *	36 35 98:0 /sub /mnt rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue
 *
 * Fields are separated by exactly one space, so that an empty source still counts. Blanks,
 * newlines, backslashes and '#' in names are escaped in octal. Tags of an unknown kind before
 * the dash are ignored. Not told: mounts outside the root, locked flags, idmaps, the 64-bit id.
 */
#include "proc-mountinfo.h"

#include <errno.h>

#include "base/err.h"
#include "kernel/proc.h"

static int parse_id(struct span s, int32_t *ret)
{
	uint32_t v;

	if (span_u32(s, 10, &v) || v > INT32_MAX)
		return -EINVAL;
	*ret = (int32_t)v;
	return 0;
}

static bool cut_id(struct span *line, int32_t *ret)
{
	struct span w;

	return span_cut(line, ' ', &w) && !parse_id(w, ret);
}

static int parse_tag(struct span tag, struct mountinfo *ret)
{
	struct span key;

	if (span_eq(tag, "unbindable")) {
		ret->unbindable = true;
		return 0;
	}
	if (!span_cut(&tag, ':', &key))
		return 0;
	if (span_eq(key, "shared"))
		return parse_id(tag, &ret->shared);
	if (span_eq(key, "master"))
		return parse_id(tag, &ret->master);
	if (span_eq(key, "propagate_from"))
		return parse_id(tag, &ret->propagate_from);
	return 0;
}

/* Cuts the tags and the dash behind them. */
static bool cut_tags(struct span *line, struct mountinfo *ret)
{
	struct span tag;

	while (span_cut(line, ' ', &tag)) {
		if (span_eq(tag, "-"))
			return true;
		if (parse_tag(tag, ret))
			return false;
	}
	return false;
}

static int parse_line(struct span line, struct mountinfo *ret)
{
	struct mountinfo m = {};
	struct span major, minor;

	if (!cut_id(&line, &m.id) || !cut_id(&line, &m.parent) || !span_cut(&line, ':', &major) ||
	    !span_cut(&line, ' ', &minor) || span_u32(major, 10, &m.major) ||
	    span_u32(minor, 10, &m.minor))
		return -EINVAL;
	if (!span_cut(&line, ' ', &m.root) || !span_cut(&line, ' ', &m.point) ||
	    !span_cut(&line, ' ', &m.options) || !cut_tags(&line, &m) ||
	    !span_cut(&line, ' ', &m.fstype) || !span_cut(&line, ' ', &m.source))
		return -EINVAL;
	if (!m.root.len || !m.point.len || !m.fstype.len)
		return -EINVAL;
	m.super_options = line;
	*ret = m;
	return 0;
}

int mountinfo_next(struct span *text, struct mountinfo *ret)
{
	struct span line;

	if (!span_line(text, &line))
		return 0;
	return parse_line(line, ret) ?: 1;
}

char *mountinfo_unescape(struct arena *a, struct span field)
{
	return proc_unescape(a, field, " \t\n\\#");
}
