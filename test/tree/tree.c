/*
 * Children and grandchildren in several sessions and process groups, some led by tasks that went on
 * into another one, all checked by each task for itself.
 * harness: cycles=10 again=10
 */
#include "test.h"

#include <sys/wait.h>

struct ids {
	pid_t pid, ppid, pgid, sid;
};

static struct ids ids_now(void)
{
	return (struct ids){getpid(), getppid(), getpgid(0), getsid(0)};
}

static void wait_here(void)
{
	struct ids before = ids_now(), after;

	checkpoint_wait();
	after = ids_now();
	check(!memcmp(&before, &after, sizeof(before)), "pid %d parent %d group %d session %d",
	      after.pid, after.ppid, after.pgid, after.sid);
}

static void leaf(void *arg)
{
	if (arg)
		must(setpgid(0, 0));
	wait_here();
}

static void branch(void *arg)
{
	long i = (long)arg;

	/* Children born before and after the change of session are in different ones. */
	task_run(leaf, NULL);
	if (i == 1)
		must(setsid());
	if (i == 2)
		must(setpgid(0, 0));
	task_run(leaf, NULL);
	task_run(leaf, (void *)1);
	wait_here();
}

int main(void)
{
	struct ids before = ids_now(), after;

	for (long i = 0; i < 3; i++)
		task_run(branch, (void *)i);
	checkpoint();
	after = ids_now();
	check(!memcmp(&before, &after, sizeof(before)));
	return test_end();
}
