/*
 * Children of threads other than the first: only the thread that made one may wait for it alone. No
 * fingerprint: which of libc's pages siblings share here is a matter of luck (docs/limits.md).
 */
/* harness: moves */
#include "test.h"

#include <sys/wait.h>

static uint32_t *ready, *word;

static void run(void *arg)
{
	pid_t pid = must(fork());
	int status;

	if (!pid) {
		event_add(ready);
		event_wait(word, 1);
		_exit((int)(long)arg);
	}
	checkpoint_wait();
	event_add(word);
	check(waitpid(pid, &status, __WNOTHREAD) == pid && WEXITSTATUS(status) == (int)(long)arg,
	      "%#x (errno %d)", status, errno);
}

int main(void)
{
	ready = shared_alloc(4096);
	word = shared_alloc(4096);
	for (long i = 0; i < 4; i++) {
		thread_run(run, (void *)(i + 3));
		event_wait(ready, (uint32_t)i + 1);
	}
	checkpoint();
	thread_join_all();
	check(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
	return test_end();
}
