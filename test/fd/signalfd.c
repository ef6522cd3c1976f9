/* A descriptor for signals: only those of its mask come, those of others stay pending. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

int main(void)
{
	struct signalfd_siginfo info = { 0 };
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = 5 };
	sigset_t mask, other;
	int fd, set;

	must(sigemptyset(&mask));
	must(sigaddset(&mask, SIGUSR2));
	other = mask;
	must(sigaddset(&other, SIGUSR1));
	must(sigprocmask(SIG_BLOCK, &other, NULL));
	fd = must(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
	set = must(epoll_create1(0));
	must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	must(raise(SIGUSR1));
	must(raise(SIGUSR2));
	checkpoint();
	check(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR2);
	check(read(fd, &info, sizeof(info)) == -1 && errno == EAGAIN);
	check(epoll_wait(set, &e, 1, 0) == 0);
	must(raise(SIGUSR2));
	check(epoll_wait(set, &e, 1, 5000) == 1 && e.data.u32 == 5, "the set wakes its owner");
	return test_end();
}
