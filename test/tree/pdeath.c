/*
 * The parent-death signal: kept through a change of user, and delivered when the parent (the thread
 * that made the task) ends after the checkpoint.
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct {
	uint32_t ready, end, told;
} *shared;

static _Noreturn void child(uid_t uid)
{
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(setresuid(uid, uid, uid));
	must(prctl(PR_SET_DUMPABLE, 1));
	must(prctl(PR_SET_PDEATHSIG, SIGUSR2));
	event_add(&shared->ready);
	event_wait(&shared->end, 1);
	check(!prctl(PR_GET_PDEATHSIG, &sig) && sig == SIGUSR2, "pdeathsig %d", sig);
	check(sigwaitinfo(&set, NULL) == SIGUSR2);
	event_add(&shared->told);
	_exit(test_end());
}

static void *maker(void *arg)
{
	if (!must(fork()))
		child((uid_t)(long)arg);
	event_wait(&shared->end, 1);
	return NULL;
}

static void parent(void *arg)
{
	pthread_t thread;

	(void)arg;
	/* One made by the first thread, one by another, which ends before the process does. */
	must_true(!pthread_create(&thread, NULL, maker, (void *)1234L));
	event_wait(&shared->ready, 1);
	if (!must(fork()))
		child(0);
	checkpoint_wait();
	event_add(&shared->end);
	check(!pthread_join(thread, NULL));
	event_wait(&shared->told, 1);
	_exit(test_end());
}

int main(void)
{
	int status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	shared = shared_alloc(4096);
	task_run(parent, NULL);
	event_wait(&shared->ready, 2);
	checkpoint();
	event_wait(&shared->told, 2);
	status = test_end();
	for (int s; wait(&s) > 0;)
		check(s == 0, "status %#x", s);
	return status;
}
