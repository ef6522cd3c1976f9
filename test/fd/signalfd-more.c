/*
 * Descriptors of signals: only those of the mask, pending ones are still there, and an epoll set
 * with one wakes the task that added it, also across a fork.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static int fd, ep;
static uint32_t *turn;

static void add(int set, int what)
{
	must(epoll_ctl(set, EPOLL_CTL_ADD, what,
		       &(struct epoll_event){.events = EPOLLIN, .data.fd = what}));
}

static int woken(int set)
{
	struct epoll_event e = {0};

	return epoll_wait(set, &e, 1, 0) == 1 ? e.data.fd : -1;
}

static int next_signal(void)
{
	struct signalfd_siginfo info = {0};

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : -errno;
}

static void child(void *arg)
{
	int own = must(epoll_create1(0));

	add(own, fd);
	checkpoint_wait();
	check(woken(own) < 0 && next_signal() == -EAGAIN);
	check(!raise(SIGUSR1) && woken(own) == fd && next_signal() == SIGUSR1);
	event_add(turn);
	(void)arg;
}

int main(void)
{
	sigset_t set, all;

	turn = shared_alloc(4096);
	sigfillset(&all);
	sigdelset(&all, SIGTERM);
	must(sigprocmask(SIG_BLOCK, &all, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 64);
	fd = must(signalfd(-1, &set, SFD_NONBLOCK));
	ep = must(epoll_create1(0));
	add(ep, fd);
	task_run(child, NULL);
	must(raise(SIGUSR2) | raise(64));
	checkpoint();
	check(woken(ep) == fd && next_signal() == 64 && next_signal() == -EAGAIN && woken(ep) < 0);
	check(!raise(SIGUSR1) && woken(ep) == fd && next_signal() == SIGUSR1);
	event_wait(turn, 1); /* the mask is the child's as well */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	check(signalfd(fd, &set, 0) == fd && next_signal() == SIGUSR2);
	return test_end();
}
