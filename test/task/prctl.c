/*
 * What prctl sets and gets: per process and per thread, in children that differ from each other and
 * from the root.
 */
#include "test.h"

#include <signal.h>
#include <sys/prctl.h>

struct option {
	const char *name;
	int set, get;
	unsigned long value[2];
	bool get_by_pointer;
};

static const struct option options[] = {
	{"dumpable", PR_SET_DUMPABLE, PR_GET_DUMPABLE, {0, 1}, false},
	{"pdeathsig", PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, {0, SIGUSR2}, true},
	{"subreaper", PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, {0, 1}, true},
	{"keepcaps", PR_SET_KEEPCAPS, PR_GET_KEEPCAPS, {0, 1}, false},
	{"thp disable", PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, {0, 1}, false},
	{"timer slack", PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, {1, 4000000}, false},
	{"no new privs", PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, {1, 1}, false},
	{"tsc", PR_SET_TSC, PR_GET_TSC, {PR_TSC_ENABLE, PR_TSC_ENABLE}, true},
};
enum { COUNT = sizeof(options) / sizeof(options[0]) };

static long get(const struct option *o)
{
	int value = -1;

	if (!o->get_by_pointer)
		return prctl(o->get, 0, 0, 0, 0);
	must(prctl(o->get, &value, 0, 0, 0));
	return value;
}

static void run(void *arg)
{
	long which = (long)arg, before[COUNT];

	for (int i = 0; i < COUNT; i++) {
		/* no_new_privs can only be set, so that one child stays without. */
		if (options[i].set == PR_SET_NO_NEW_PRIVS && !which)
			continue;
		must(prctl(options[i].set, options[i].value[which], 0, 0, 0));
	}
	for (int i = 0; i < COUNT; i++)
		before[i] = get(&options[i]);
	checkpoint_wait();
	for (int i = 0; i < COUNT; i++)
		check(get(&options[i]) == before[i], "%s is %ld, was %ld", options[i].name,
		      get(&options[i]), before[i]);
}

int main(void)
{
	task_run(run, (void *)0L);
	task_run(run, (void *)1L);
	thread_run(run, (void *)0L);
	checkpoint();
	return test_end();
}
