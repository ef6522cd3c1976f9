/*
 * Scheduling per thread: policy, nice, real-time priority, reset-on-fork, affinity, io priority,
 * timer slack. What this machine does not permit at all (real-time classes under a cgroup without
 * budget) is left at what it is.
 * harness: versions
 */
#include "test.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct setting {
	int policy, nice, priority, cpu;
	int ioprio, slack_ns;
};

static const struct setting settings[] = {
	{SCHED_OTHER, 5, 0, 0, 2 << 13 | 7, 60000},
	{SCHED_OTHER | SCHED_RESET_ON_FORK, -7, 0, 1, 1 << 13 | 3, 1},
	{SCHED_BATCH, 19, 0, -1, 3 << 13, 50000},
	{SCHED_IDLE, 0, 0, 0, 0, 123456789},
	{SCHED_RR, 0, 7, -1, 2 << 13 | 1, 50001},
	{SCHED_FIFO | SCHED_RESET_ON_FORK, 0, 3, -1, 2 << 13, 50000},
};

struct sched {
	char attr[56];
	cpu_set_t cpus;
	long ioprio, slack_ns;
};

static struct sched sched_now(void)
{
	struct sched s = {0};

	must(syscall(SYS_sched_getattr, 0, s.attr, sizeof(s.attr), 0));
	must(sched_getaffinity(0, sizeof(s.cpus), &s.cpus));
	s.ioprio = must(syscall(SYS_ioprio_get, 1, 0));
	s.slack_ns = must(prctl(PR_GET_TIMERSLACK));
	return s;
}

static void apply(void *arg)
{
	const struct setting *set = arg;
	struct sched_param param = {.sched_priority = set->priority};
	struct sched before, after;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	if (set->cpu >= 0) {
		CPU_SET(set->cpu, &cpus);
		must(sched_setaffinity(0, sizeof(cpus), &cpus));
	}
	if (sched_setscheduler(0, set->policy, &param) < 0)
		must_true(errno == EPERM || errno == EINVAL);
	must(setpriority(PRIO_PROCESS, gettid(), set->nice));
	must(syscall(SYS_ioprio_set, 1, 0, set->ioprio));
	must(prctl(PR_SET_TIMERSLACK, set->slack_ns));
	before = sched_now();
	checkpoint_wait();
	after = sched_now();
	check(!memcmp(before.attr, after.attr, sizeof(before.attr)), "policy %#x", set->policy);
	check(CPU_EQUAL(&before.cpus, &after.cpus), "policy %#x", set->policy);
	check(before.ioprio == after.ioprio && before.slack_ns == after.slack_ns,
	      "ioprio %#lx slack %ld", after.ioprio, after.slack_ns);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		thread_run(apply, (void *)&settings[i]);
		task_run(apply, (void *)&settings[i]);
	}
	checkpoint();
	return test_end();
}
