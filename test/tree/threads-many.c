/* A thousand threads with names, masks and stacks of their own; some have children of their own. */
#include "test.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { COUNT = 1000, PARENTS = 5 };

static uint32_t *ready, *word;
static pthread_t threads[COUNT];
static struct {
	pid_t tid, child;
} of[COUNT];

static _Noreturn void child(void)
{
	event_add(ready);
	event_wait(word, 1);
	_exit(7);
}

static void *run(void *arg)
{
	long i = (long)arg;
	char name[16], now[16] = "";
	uint64_t mask = 1ull << (33 + i % 20), mask_now = 0;
	int status = 0;

	of[i].tid = gettid();
	snprintf(name, sizeof(name), "t%ld", i);
	must(prctl(PR_SET_NAME, name));
	if (i < PARENTS) {
		of[i].child = must(fork());
		if (!of[i].child)
			child();
	}
	must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8));
	event_add(ready);
	event_wait(word, 1);
	check(gettid() == of[i].tid);
	check(!prctl(PR_GET_NAME, now) && !strcmp(now, name), "%s is not %s", now, name);
	check(!syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask_now, 8) && mask == mask_now);
	/* Only the thread that made it may collect it that way. */
	if (i < PARENTS)
		check(waitpid(of[i].child, &status, __WNOTHREAD) == of[i].child &&
			      WEXITSTATUS(status) == 7,
		      "thread %ld's child gives %#x", i, status);
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
	event_wait(ready, COUNT + PARENTS);
	checkpoint();
	event_add(word);
	for (int i = 0; i < COUNT; i++)
		check(!pthread_join(threads[i], NULL));
	return test_end();
}
