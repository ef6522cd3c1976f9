/*
 * Leases: for reading and for writing, held by one description of several of a file, by a child
 * only, and two that are being broken. The holder of those got its signal before, and gets no
 * other.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

static int make(const char *name, int flags, int type)
{
	int fd = must(open(name, flags | O_CREAT, 0600));

	must(fcntl(fd, F_SETSIG, SIGUSR1));
	must(fcntl(fd, F_SETLEASE, type));
	return fd;
}

static void child(void *arg)
{
	int fd = make("of-child", O_WRONLY, F_WRLCK);

	(void)arg;
	checkpoint_wait();
	check(fcntl(fd, F_GETLEASE) == F_WRLCK);
}

static bool pending(void)
{
	sigset_t set;

	return !sigpending(&set) && sigismember(&set, SIGUSR1);
}

static void break_it(const char *name, int flags)
{
	must_true(open(name, flags | O_NONBLOCK) < 0 && errno == EWOULDBLOCK);
	must_true(pending());
	must_true(sigwaitinfo(&(sigset_t){{1UL << (SIGUSR1 - 1)}}, NULL) == SIGUSR1);
}

int main(void)
{
	int read_only, other, two, write_only, to_none, to_read;

	must(sigprocmask(SIG_BLOCK, &(sigset_t){{1UL << (SIGUSR1 - 1)}}, NULL));
	must(close(must(open("r", O_CREAT | O_WRONLY, 0600))));
	read_only = make("r", O_RDONLY, F_RDLCK);
	other = must(open("r", O_RDONLY));
	two = must(dup(read_only));
	write_only = make("w", O_RDWR, F_WRLCK);
	to_none = make("none", O_RDWR, F_WRLCK);
	must(close(must(open("read", O_CREAT | O_WRONLY, 0600))));
	to_read = make("read", O_RDONLY, F_WRLCK);
	break_it("none", O_WRONLY);
	break_it("read", O_RDONLY);
	task_run(child, NULL);
	checkpoint();
	check(!pending(), "a signal that nobody sent");
	check(fcntl(read_only, F_GETLEASE) == F_RDLCK && fcntl(two, F_GETLEASE) == F_RDLCK);
	check(fcntl(other, F_GETLEASE) == F_UNLCK);
	check(fcntl(write_only, F_GETLEASE) == F_WRLCK);
	check(fcntl(to_none, F_GETLEASE) == F_UNLCK && fcntl(to_read, F_GETLEASE) == F_RDLCK);
	check(open("read", O_WRONLY | O_NONBLOCK) < 0 && errno == EWOULDBLOCK);
	check(!fcntl(to_none, F_SETLEASE, F_UNLCK) && !fcntl(to_read, F_SETLEASE, F_RDLCK));
	check(open("r", O_WRONLY | O_NONBLOCK) < 0 && errno == EWOULDBLOCK);
	check(pending() && fcntl(read_only, F_GETLEASE) == F_UNLCK);
	return test_end();
}
