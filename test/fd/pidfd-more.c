/*
 * Descriptors of processes: the task itself, a child, a grandchild, a sibling's; a dead process
 * that two tasks know (one inode), another dead one (another inode); not blocking; of a leader as a
 * thread; one taken from another task.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static int self, dead_a, dead_a2, dead_b, thread, got, kid, grandkid;
static pid_t *grandchild;
static uint32_t *turn;

static int pidfd(pid_t pid, int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int alive(int fd)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) ? -errno : 1;
}

static bool is(int fd, pid_t pid)
{
	char path[32], value[32] = "";

	snprintf(path, sizeof(path), "fdinfo/%d", fd);
	return check(proc_value(path, "Pid", value, sizeof(value)) && atoi(value) == pid,
		     "descriptor %d: %s and not %d", fd, value, pid);
}

static ino_t inode(int fd)
{
	struct stat st = {0};

	check(!fstat(fd, &st));
	return st.st_ino;
}

static void grand(void *arg)
{
	(void)arg;
	checkpoint_wait();
	event_wait(turn, 2);
}

static void child(void *arg)
{
	*grandchild = task_run(grand, NULL);
	event_add(turn);
	checkpoint_wait();
	check(alive(dead_a) == -ESRCH && is(dead_a, -1));
	check(is(self, getppid()) && alive(self) == 1);
	event_wait(turn, 2);
	(void)arg;
}

static int dead_process(int status)
{
	pid_t pid = must(fork());
	int fd;

	if (!pid)
		_exit(status);
	fd = must(pidfd(pid, 0));
	must(waitpid(pid, NULL, 0));
	return fd;
}

int main(void)
{
	pid_t pid;

	turn = shared_alloc(4096);
	grandchild = shared_alloc(4096);
	checkpoint_prepare();
	self = must(pidfd(getpid(), 0));
	dead_a = dead_process(3);
	dead_b = dead_process(0);
	dead_a2 = must(fcntl(dead_a, F_DUPFD_CLOEXEC, 60));
	pid = task_run(child, NULL);
	event_wait(turn, 1);
	kid = must(pidfd(pid, O_NONBLOCK));
	grandkid = must(pidfd(*grandchild, 0));
	thread = pidfd(pid, PIDFD_THREAD);
	if (thread < 0)
		thread = must(pidfd(pid, 0));
	got = must((int)syscall(SYS_pidfd_getfd, kid, self, 0));
	checkpoint();
	is(self, getpid());
	is(got, getpid());
	is(kid, pid);
	is(thread, pid);
	is(grandkid, *grandchild);
	check(fcntl(kid, F_GETFL) & O_NONBLOCK && fcntl(dead_a2, F_GETFD) == FD_CLOEXEC);
	check(alive(kid) == 1 && alive(grandkid) == 1 && alive(thread) == 1);
	check(alive(dead_a) == -ESRCH && alive(dead_b) == -ESRCH && is(dead_b, -1));
	check(inode(dead_a) == inode(dead_a2));
	check(inode(dead_a) != inode(dead_b) || inode(dead_a) == inode(self));
	event_add(turn);
	return test_end();
}
