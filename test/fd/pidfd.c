/* Descriptors of oneself, of a child, and two of a process that is gone. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int pidfd(pid_t pid, unsigned int flags)
{
	return must((int)syscall(SYS_pidfd_open, pid, flags));
}

static int signals(int fd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static void child(void *arg)
{
	(void)arg;
	checkpoint_wait();
}

int main(void)
{
	pid_t kid = task_run(child, NULL), dead = must(fork());
	int self = pidfd(getpid(), O_NONBLOCK), of_kid = pidfd(kid, 0), a, b;
	struct stat st[2];

	if (!dead)
		_exit(7);
	a = pidfd(dead, 0);
	b = pidfd(dead, O_NONBLOCK);
	must(waitpid(dead, NULL, 0));
	checkpoint();
	check(!signals(self, 0) && !signals(of_kid, 0));
	check(signals(a, 0) == -1 && errno == ESRCH && signals(b, 0) == -1);
	check(!fstat(a, &st[0]) && !fstat(b, &st[1]) && st[0].st_ino == st[1].st_ino);
	check(fcntl(self, F_GETFL) & O_NONBLOCK && !(fcntl(a, F_GETFL) & O_NONBLOCK));
	return test_end();
}
