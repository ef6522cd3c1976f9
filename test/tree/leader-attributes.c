/*
 * What is left of a leader that ended before its threads: name, ids, groups, capabilities,
 * affinity, priority and timer slack, all different from those of the thread that lives.
 */
#include "test.h"

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static void *survivor(void *arg)
{
	(void)arg;
	must(prctl(PR_SET_NAME, "survivor"));
	checkpoint_wait();
	_exit(test_end());
}

static void child(void)
{
	gid_t groups[] = { 5, 77, 1000 };
	pthread_t thread;
	cpu_set_t cpus;

	must_true(!pthread_create(&thread, NULL, survivor, NULL));
	must(prctl(PR_SET_NAME, "late leader"));
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	must(sched_setaffinity(0, sizeof(cpus), &cpus));
	must(setpriority(PRIO_PROCESS, (id_t)gettid(), 7));
	must(prctl(PR_SET_TIMERSLACK, 123456));
	must(syscall(SYS_setgroups, 3, groups));
	must(syscall(SYS_setresgid, 10, 20, 30));
	must(syscall(SYS_setresuid, 1000, 0, 2000));
	syscall(SYS_exit, 3);
}

int main(void)
{
	if (!task_fork())
		child();
	checkpoint();
	return test_end();
}
