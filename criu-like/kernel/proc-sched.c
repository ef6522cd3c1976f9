/*
 * The scheduler's view of a thread. Lines are "name   :   value"; times are milliseconds with six
 * decimals, that is nanoseconds with a dot in them. A sleeping thread's se.exec_start is the moment
 * at which it left the cpu. Lines differ from kernel to kernel; unknown ones are skipped.
 */
#include "kernel/proc-sched.h"

#include <errno.h>

static int parse_ms(struct span value, uint64_t *ret)
{
	struct span whole;
	uint64_t ms, ns;

	if (!span_cut(&value, '.', &whole) || value.len != 6 || span_u64(whole, 10, &ms) ||
	    span_u64(value, 10, &ns) || ms > UINT64_MAX / 1000000 - 1)
		return -EPROTO;
	*ret = ms * 1000000 + ns;
	return 0;
}

int proc_sched_parse(struct span text, struct proc_sched *ret)
{
	struct proc_sched s = { 0 };
	bool ran = false, sleeps = false;
	struct span line, key;

	while (span_line(&text, &line)) {
		if (!span_cut(&line, ':', &key))
			continue;
		key = span_trim(key);
		line = span_trim(line);
		if (span_eq(key, "se.exec_start")) {
			ran = true;
			if (parse_ms(line, &s.ran_ns))
				return -EPROTO;
		} else if (span_eq(key, "nr_voluntary_switches")) {
			sleeps = true;
			if (span_u64(line, 10, &s.n_sleeps))
				return -EPROTO;
		}
	}
	if (!ran || !sleeps)
		return -EPROTO;
	*ret = s;
	return 0;
}
