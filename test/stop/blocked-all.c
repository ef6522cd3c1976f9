/* Threads that block every signal, as a libc does for moments, with default actions for all. */
#include "test.h"

#include <sys/syscall.h>

static void run(void *arg)
{
	uint64_t all = ~0ull, now = 0;

	(void)arg;
	must(syscall(SYS_rt_sigprocmask, 0 /* block */, &all, NULL, 8));
	checkpoint_wait();
	must(syscall(SYS_rt_sigprocmask, 0, NULL, &now, 8));
	check(now == ~(1ull << 8 | 1ull << 18), "%#lx", now);
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		thread_run(run, NULL);
		task_run(run, NULL);
	}
	checkpoint();
	return test_end();
}
