/*
 * Robust futex lists and addresses cleared at exit: a robust mutex whose owner dies after the
 * checkpoint is handed over; the head of a thread is where it was.
 */
#include "test.h"

#include <pthread.h>
#include <sys/syscall.h>

struct shared {
	pthread_mutex_t mutex;
	uint32_t locked;
};

static void die_locked(void *arg)
{
	struct shared *s = arg;

	must_true(!pthread_mutex_lock(&s->mutex));
	event_add(&s->locked);
	checkpoint_wait();
}

static void same_head(void *arg)
{
	void *before, *after;
	size_t len;

	(void)arg;
	must(syscall(SYS_get_robust_list, 0, &before, &len));
	checkpoint_wait();
	check(!syscall(SYS_get_robust_list, 0, &after, &len) && after == before && len == 24);
}

int main(void)
{
	struct shared *s = shared_alloc(sizeof(*s));
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	must_true(!pthread_mutex_init(&s->mutex, &a));
	task_run(die_locked, s);
	thread_run(same_head, NULL);
	event_wait(&s->locked, 1);
	checkpoint();
	check(pthread_mutex_lock(&s->mutex) == EOWNERDEAD);
	thread_join_all(); /* waits for the word that is cleared at exit */
	return test_end();
}
