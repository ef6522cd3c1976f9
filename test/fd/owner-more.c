/*
 * Who gets the signals of a descriptor: a process, a group, a thread; which signal; and that they
 * arrive, with the rights of the one who asked for them.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int end[3][2];
static pid_t tid;
static uint32_t *ready;

static int received(int sig)
{
	sigset_t set;
	siginfo_t info = {0};

	sigemptyset(&set);
	sigaddset(&set, sig);
	return sigwaitinfo(&set, &info) == sig ? info.si_fd : -1;
}

static void thread(void *arg)
{
	(void)arg;
	tid = (pid_t)syscall(SYS_gettid);
	event_add(ready);
	checkpoint_wait();
	check(received(SIGRTMIN + 2) == end[2][0]);
}

static void own(int i, int type, pid_t pid, int sig)
{
	struct f_owner_ex owner = {type, pid};

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, end[i]));
	must(fcntl(end[i][0], F_SETOWN_EX, &owner));
	must(fcntl(end[i][0], F_SETSIG, sig));
	must(fcntl(end[i][0], F_SETFL, O_ASYNC | O_NONBLOCK));
}

static void check_owner(int i, int type, pid_t pid, int sig)
{
	struct f_owner_ex owner = {0};

	check(!fcntl(end[i][0], F_GETOWN_EX, &owner) && (int)owner.type == type && owner.pid == pid,
	      "%d: %d %d", i, owner.type, owner.pid);
	check(fcntl(end[i][0], F_GETSIG) == sig && fcntl(end[i][0], F_GETFL) & O_ASYNC);
	check(write(end[i][1], "x", 1) == 1);
}

int main(void)
{
	const int first = SIGRTMIN;
	sigset_t set;

	ready = shared_alloc(4096);
	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, first + i);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	thread_run(thread, NULL);
	event_wait(ready, 1);
	own(0, F_OWNER_PID, getpid(), first);
	own(1, F_OWNER_PGRP, getpgrp(), first + 1);
	own(2, F_OWNER_TID, tid, first + 2);
	/* The task gives up its rights: the kernel must compare with the ids of the setter. */
	must((int)syscall(SYS_setresuid, 1234, 1234, 0));
	checkpoint();
	check_owner(0, F_OWNER_PID, getpid(), first);
	check(received(first) == end[0][0]);
	check_owner(1, F_OWNER_PGRP, getpgrp(), first + 1);
	check(received(first + 1) == end[1][0]);
	check_owner(2, F_OWNER_TID, tid, first + 2);
	return test_end();
}
