/*
 * /proc/PID/stat: one line of 52 fields separated by spaces.
 *
 * Field 2 is the name in parentheses, written as it is: it may hold spaces, newlines and
 * parentheses. Nothing behind it can hold a ')', so that the last one ends it. The fields have no
 * names in the text, so a missing or malformed one makes all of it worthless: -EINVAL.
 */
#include "proc-stat.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"

enum form { FORM_I32, FORM_U32, FORM_U64 };

/* In the order of the text; numbers as in proc_pid_stat(5). */
/* clang-format off */
static const struct {
	uint16_t field, form, offset;
} place[] = {
#define PLACE(field, form, name) { field, form, offsetof(struct proc_stat, name) }
	PLACE(4, FORM_I32, ppid),
	PLACE(5, FORM_I32, pgrp),
	PLACE(6, FORM_I32, session),
	PLACE(7, FORM_I32, tty_nr),
	PLACE(8, FORM_I32, tpgid),
	PLACE(9, FORM_U32, flags),
	PLACE(14, FORM_U64, utime),
	PLACE(15, FORM_U64, stime),
	PLACE(19, FORM_I32, nice),
	PLACE(20, FORM_U32, num_threads),
	PLACE(22, FORM_U64, start_time),
	PLACE(23, FORM_U64, vsize),
	PLACE(26, FORM_U64, start_code),
	PLACE(27, FORM_U64, end_code),
	PLACE(28, FORM_U64, start_stack),
	PLACE(38, FORM_I32, exit_signal),
	PLACE(39, FORM_I32, processor),
	PLACE(40, FORM_U32, rt_priority),
	PLACE(41, FORM_U32, policy),
	PLACE(45, FORM_U64, start_data),
	PLACE(46, FORM_U64, end_data),
	PLACE(47, FORM_U64, start_brk),
	PLACE(48, FORM_U64, arg_start),
	PLACE(49, FORM_U64, arg_end),
	PLACE(50, FORM_U64, env_start),
	PLACE(51, FORM_U64, env_end),
	PLACE(52, FORM_I32, exit_code),
};
/* clang-format on */

static int parse_i32(struct span s, int32_t *ret)
{
	int64_t v;

	if (span_i64(s, 10, &v) || v < INT32_MIN || v > INT32_MAX)
		return -EINVAL;
	*ret = (int32_t)v;
	return 0;
}

static int parse_field(struct span s, unsigned int form, void *ret)
{
	if (form == FORM_I32)
		return parse_i32(s, ret);
	return form == FORM_U32 ? span_u32(s, 10, ret) : span_u64(s, 10, ret);
}

/* Cuts "12 (name) " off. */
static int parse_name(struct span *text, struct proc_stat *ret)
{
	const char *end = text->len ? memrchr(text->p, ')', text->len) : NULL;
	struct span name, pid;
	int32_t n;

	if (!end)
		return -EINVAL;
	name = (struct span){ text->p, (size_t)(end - text->p) };
	if (!span_cut(&name, ' ', &pid) || parse_i32(pid, &n) || n < 0)
		return -EINVAL;
	if (!span_starts(name, "(") || name.len > sizeof(ret->comm))
		return -EINVAL;
	ret->pid = n;
	memcpy(ret->comm, name.p + 1, name.len - 1);
	*text = (struct span){ end + 1, (size_t)(text->p + text->len - end - 1) };
	return 0;
}

int proc_stat_parse(struct span text, struct proc_stat *ret)
{
	struct proc_stat s = {};
	struct span w;
	size_t n = 0;

	if (parse_name(&text, &s))
		return -EINVAL;
	text = span_trim(text);
	if (!span_word(&text, &w) || w.len != 1)
		return -EINVAL;
	s.state = *w.p;
	for (unsigned int field = 4; n < array_size(place); field++) {
		if (!span_word(&text, &w))
			return -EINVAL;
		if (field != place[n].field)
			continue;
		if (parse_field(w, place[n].form, (char *)&s + place[n].offset))
			return -EINVAL;
		n++;
	}
	*ret = s;
	return 0;
}
