/*
 * A child that makes children without pause, several at a time, which live for next to nothing;
 * each ends with a status of its own, and each status is collected exactly once.
 */
/* harness: moves */
#include "test.h"

#include <sys/wait.h>

enum { AT_ONCE = 8 };

static int end_of(uint32_t round, int i)
{
	return (int)((round * AT_ONCE + (uint32_t)i) % 251);
}

static void burst(uint32_t round)
{
	pid_t pid[AT_ONCE];
	int status;

	for (int i = 0; i < AT_ONCE; i++) {
		pid[i] = must(fork());
		if (pid[i])
			continue;
		/* Some make one of their own first. */
		if (i % 3 == 0) {
			pid[i] = must(fork());
			if (!pid[i])
				_exit(0);
			check(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
		}
		_exit(end_of(round, i));
	}
	for (int i = 0; i < AT_ONCE; i++)
		check(waitpid(pid[i], &status, 0) == pid[i] && WIFEXITED(status) &&
			      WEXITSTATUS(status) == end_of(round, i),
		      "round %u child %d gives %#x", round, i, status);
}

static void storm(void *arg)
{
	uint32_t round = 0;

	(void)arg;
	checkpoint_arrive();
	while (!checkpoint_passed())
		burst(round++);
	burst(round);
	check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

int main(void)
{
	task_run(storm, NULL);
	checkpoint();
	return test_end();
}
