/* A vfork whose child neither executes a program nor exits: refused when the time is over. */
/* harness: refused dump=--timeout=1 */
#include "test.h"

#include <sys/syscall.h>
#include <sys/wait.h>

static uint32_t *word;

static void vforking(void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	checkpoint_arrive();
	pid = vfork();
	if (!pid) {
		event_wait(word, 1);
		_exit(56);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 56);
}

int main(void)
{
	word = shared_alloc(4096);
	task_run(vforking, NULL);
	checkpoint();
	event_add(word);
	return test_end();
}
