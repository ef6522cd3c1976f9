/*
 * Ten threads queue for one mutex held over the checkpoint, each takes it once afterwards. A child
 * holds a robust shared mutex and is killed after the checkpoint: its robust list must still be
 * known to the kernel.
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { COUNT = 10 };

struct shared {
	pthread_mutex_t robust, plain;
	pthread_cond_t cond;
	uint32_t taken, held;
	bool open;
};

static struct shared *shared;

static void worker(void *arg)
{
	void *before, *after;
	size_t len;

	(void)arg;
	must(syscall(SYS_get_robust_list, 0, &before, &len));
	checkpoint_arrive();
	check(!pthread_mutex_lock(&shared->plain));
	while (!shared->open)
		pthread_cond_wait(&shared->cond, &shared->plain);
	shared->taken++;
	check(!pthread_mutex_unlock(&shared->plain));
	check(!syscall(SYS_get_robust_list, 0, &after, &len) && before == after && len == 24);
}

static pid_t robust_owner(void)
{
	pid_t pid = must(fork());

	if (pid)
		return pid;
	must_true(!pthread_mutex_lock(&shared->robust));
	event_add(&shared->held);
	for (;;)
		pause();
}

static void shared_init(void)
{
	pthread_mutexattr_t attr;

	shared = shared_alloc(4096);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	must_true(!pthread_mutex_init(&shared->plain, &attr));
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	must_true(!pthread_mutex_init(&shared->robust, &attr));
	must_true(!pthread_cond_init(&shared->cond, NULL));
}

int main(void)
{
	pid_t owner;

	shared_init();
	owner = robust_owner();
	event_wait(&shared->held, 1);
	must_true(!pthread_mutex_lock(&shared->plain));
	for (int i = 0; i < COUNT; i++)
		thread_run(worker, NULL);
	checkpoint();
	check(pthread_mutex_trylock(&shared->plain) == EBUSY);
	shared->open = true;
	check(!pthread_mutex_unlock(&shared->plain));
	thread_join_all();
	check(shared->taken == COUNT, "%u", shared->taken);
	check(pthread_mutex_trylock(&shared->robust) == EBUSY);
	check(!kill(owner, SIGKILL) && waitpid(owner, NULL, 0) == owner);
	check(pthread_mutex_lock(&shared->robust) == EOWNERDEAD);
	check(!pthread_mutex_consistent(&shared->robust) && !pthread_mutex_unlock(&shared->robust));
	return test_end();
}
