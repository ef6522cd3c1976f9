/*
 * Descriptors that are about threads other than leaders: pidfds (PIDFD_THREAD), held twice, by
 * another task, watched in an epoll set; a file and a directory of /proc/PID/task/TID.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static pid_t tid;
static uint32_t *turn;
static int fd, copy, file, dir, set;

static void thread(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	event_add(turn);
	checkpoint_wait();
	event_wait(turn, 4);
	(void)arg;
}

static bool is_thread(int n)
{
	char path[32], value[32] = "";

	snprintf(path, sizeof(path), "fdinfo/%d", n);
	return proc_value(path, "Pid", value, sizeof(value)) && atoi(value) == tid &&
	       fcntl(n, F_GETFL) & PIDFD_THREAD;
}

static void child(void *arg)
{
	event_add(turn);
	checkpoint_wait();
	check(is_thread(fd));
	event_add(turn);
	(void)arg;
}

static int open_of(const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d%s", getpid(), tid, what);
	return must(open(path, O_RDONLY));
}

int main(void)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 55};
	struct stat a, b;
	char text[8] = "";

	turn = shared_alloc(4096);
	thread_run(thread, NULL);
	event_wait(turn, 1);
	fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD | O_NONBLOCK);
	if (fd < 0)
		skip("no descriptors of threads here");
	copy = must(fcntl(fd, F_DUPFD_CLOEXEC, 70));
	file = open_of("/status");
	dir = open_of("");
	must_true(read(file, text, 3) == 3);
	task_run(child, NULL);
	set = must(epoll_create1(0));
	must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	event_wait(turn, 2);
	checkpoint();
	event_wait(turn, 3);
	check(is_thread(fd) && is_thread(copy) && fcntl(copy, F_GETFD) == FD_CLOEXEC);
	check(!syscall(SYS_kcmp, getpid(), getpid(), 0, fd, copy));
	check(fcntl(fd, F_GETFL) & O_NONBLOCK);
	check(read(file, text, 3) == 3 && !memcmp(text, "e:\t", 3));
	check(!fstat(dir, &a) && !fstat(open_of(""), &b) && a.st_ino == b.st_ino);
	check(epoll_wait(set, &e, 1, 0) == 0);
	event_add(turn);
	thread_join_all();
	check(epoll_wait(set, &e, 1, -1) == 1 && e.data.u64 == 55);
	return test_end();
}
