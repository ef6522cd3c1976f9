/*
 * /proc/PID/limits: one line per resource limit, in columns.
 *
 * Names hold spaces and are padded; what follows is the soft limit, the hard limit and a unit that
 * some lines lack. Numbers are what prlimit(2) tells, "unlimited" is RLIM_INFINITY.
 */
#include "proc-limits.h"

#include <errno.h>

#include "base/err.h"

static const char *const name[PROC_LIMITS] = {
	[RLIMIT_CPU] = "Max cpu time ",
	[RLIMIT_FSIZE] = "Max file size ",
	[RLIMIT_DATA] = "Max data size ",
	[RLIMIT_STACK] = "Max stack size ",
	[RLIMIT_CORE] = "Max core file size ",
	[RLIMIT_RSS] = "Max resident set ",
	[RLIMIT_NPROC] = "Max processes ",
	[RLIMIT_NOFILE] = "Max open files ",
	[RLIMIT_MEMLOCK] = "Max locked memory ",
	[RLIMIT_AS] = "Max address space ",
	[RLIMIT_LOCKS] = "Max file locks ",
	[RLIMIT_SIGPENDING] = "Max pending signals ",
	[RLIMIT_MSGQUEUE] = "Max msgqueue size ",
	[RLIMIT_NICE] = "Max nice priority ",
	[RLIMIT_RTPRIO] = "Max realtime priority ",
	[RLIMIT_RTTIME] = "Max realtime timeout ",
};

static int parse_limit(struct span *line, rlim64_t *ret)
{
	struct span w;
	uint64_t v;

	if (!span_word(line, &w))
		return -EINVAL;
	if (span_eq(w, "unlimited"))
		v = RLIM64_INFINITY;
	else if (span_u64(w, 10, &v))
		return -EINVAL;
	*ret = v;
	return 0;
}

int proc_limits_parse(struct span text, struct proc_limits *ret)
{
	struct proc_limits l = {};
	struct span line;
	uint32_t seen = 0;

	while (span_line(&text, &line)) {
		size_t i = 0;

		while (i < PROC_LIMITS && !span_starts(line, name[i]))
			i++;
		if (i == PROC_LIMITS)
			continue;
		line = (struct span){ line.p + span_of(name[i]).len,
				      line.len - span_of(name[i]).len };
		if (seen >> i & 1 || parse_limit(&line, &l.v[i].rlim_cur) ||
		    parse_limit(&line, &l.v[i].rlim_max))
			return -EINVAL;
		seen |= 1U << i;
	}
	if (seen != (1U << PROC_LIMITS) - 1)
		return -EINVAL;
	*ret = l;
	return 0;
}
