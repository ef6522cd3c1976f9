/* A thousand threads with names, masks and stacks of their own. */
/* harness: moves */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { COUNT = 1000 };

static uint32_t *ready, *word;
static pthread_t threads[COUNT];
static pid_t tids[COUNT];

static void *run(void *arg)
{
	long i = (long)arg;
	char name[16], now[16] = "";
	uint64_t mask = 1ull << (33 + i % 20), mask_now = 0;

	tids[i] = gettid();
	snprintf(name, sizeof(name), "t%ld", i);
	must(prctl(PR_SET_NAME, name));
	must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8));
	event_add(ready);
	event_wait(word, 1);
	check(gettid() == tids[i]);
	check(!prctl(PR_GET_NAME, now) && !strcmp(now, name), "%s is not %s", now, name);
	check(!syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask_now, 8) && mask == mask_now);
	return NULL;
}

int main(void)
{
	pthread_attr_t attr;

	ready = shared_alloc(4096);
	word = shared_alloc(4096);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 0; i < COUNT; i++)
		must_true(!pthread_create(&threads[i], &attr, run, (void *)i));
	event_wait(ready, COUNT);
	checkpoint();
	event_add(word);
	for (int i = 0; i < COUNT; i++)
		check(!pthread_join(threads[i], NULL));
	return test_end();
}
