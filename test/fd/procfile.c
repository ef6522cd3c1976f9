/*
 * harness: modes=restore,running
 * Files of /proc: one's own, a child's, those of a process that is gone.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int of(pid_t pid, const char *name, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d%s", pid, name);
	return must(open(path, flags));
}

static void child(void *arg)
{
	(void)arg;
	checkpoint_wait();
}

int main(void)
{
	pid_t kid = task_run(child, NULL), dead = must(fork());
	int own = of(getpid(), "/stat", O_RDONLY), kids = of(kid, "", O_DIRECTORY), gone, file;
	char buf[64];

	if (!dead)
		pause();
	gone = of(dead, "", O_DIRECTORY);
	file = of(dead, "/stat", O_RDONLY);
	must(kill(dead, 9));
	must(waitpid(dead, NULL, 0));
	checkpoint();
	check(read(own, buf, sizeof(buf)) > 0 && atoi(buf) == getpid());
	check(faccessat(kids, "stat", F_OK, 0) == 0);
	check(faccessat(gone, "stat", F_OK, 0) == -1);
	check(read(file, buf, sizeof(buf)) == -1 && errno == ESRCH);
	return test_end();
}
