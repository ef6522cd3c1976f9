/*
 * The numbers of a table: dense, sparse up to 2^k, close-on-exec of every second of them; a table
 * that parent, child and grandchild share while the siblings have copies; a table without any
 * descriptor.
 */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { DENSE = 300, KCMP_FILES = 2 };

static pid_t *pid_of_child;

static int top_number(void)
{
	struct rlimit limit;
	int top = 1;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	while (top < (1 << 18) && (rlim_t)top * 4 <= limit.rlim_cur)
		top *= 2;
	return top;
}

static bool cloexec(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static int empty(void)
{
	bool closed = !close_range(0, ~0u, 0);
	int fd;

	checkpoint_wait();
	fd = open("file", O_RDONLY);
	return closed && fd == 0 ? 0 : 3;
}

static uint32_t *turn;

static int sleeper(void)
{
	checkpoint_wait();
	event_wait(turn, 2);
	return test_end();
}

static int child(int top)
{
	pid_t grandchild;

	*pid_of_child = getpid();
	grandchild = task_clone(CLONE_FILES);
	if (!grandchild)
		return sleeper();
	checkpoint_wait();
	check(cloexec(top) && !syscall(SYS_kcmp, getpid(), grandchild, KCMP_FILES, 0, 0));
	event_add(turn);
	event_wait(turn, 2);
	return test_end();
}

int main(void)
{
	int fd = must(open("file", O_CREAT | O_RDWR, 0600)), top = top_number();
	pid_t sibling;

	pid_of_child = shared_alloc(4096);
	turn = shared_alloc(4096);
	checkpoint_prepare();
	if (!task_clone(0))
		return empty();
	for (int n = fd + 1; n < DENSE; n++)
		must_true(fcntl(fd, n % 2 ? F_DUPFD_CLOEXEC : F_DUPFD, n) == n);
	for (int n = 512; n <= top; n *= 2)
		must_true(fcntl(fd, n == top ? F_DUPFD_CLOEXEC : F_DUPFD, n) == n);
	sibling = task_clone(0);
	if (!sibling)
		return sleeper();
	if (!task_clone(CLONE_FILES))
		return child(top);
	checkpoint();
	for (int n = fd + 1; n < DENSE; n++)
		check(cloexec(n) == n % 2, "number %d", n);
	check(fcntl(DENSE, F_GETFD) < 0 && cloexec(top) && fcntl(top - 1, F_GETFD) < 0);
	check(!syscall(SYS_kcmp, getpid(), *pid_of_child, KCMP_FILES, 0, 0));
	check(syscall(SYS_kcmp, getpid(), sibling, KCMP_FILES, 0, 0) > 0);
	event_add(turn);
	return test_end();
}
