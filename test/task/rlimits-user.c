/* Limits of tasks that belong to another user, where the tool may not ask for them by prlimit. */
#include "test.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static void run(void *arg)
{
	struct rlimit before[RLIM_NLIMITS], after, nofile = { 30, 40 }, core = { 1, 2 };
	uid_t uid = (uid_t)(long)arg;

	must(setrlimit(RLIMIT_NOFILE, &nofile));
	must(setrlimit(RLIMIT_CORE, &core));
	must(setresgid(uid, uid, uid));
	must(setresuid(uid, uid, uid));
	for (int i = 0; i < RLIM_NLIMITS; i++)
		must(getrlimit(i, &before[i]));
	checkpoint_wait();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		check(!getrlimit(i, &after));
		check(after.rlim_cur == before[i].rlim_cur && after.rlim_max == before[i].rlim_max,
		      "limit %d: %lu %lu", i, after.rlim_cur, after.rlim_max);
	}
}

int main(void)
{
	task_run(run, (void *)65534L);
	task_run(run, (void *)1000L);
	checkpoint();
	return test_end();
}
