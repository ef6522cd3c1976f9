/* Who gets a signal about a description, which one, and whether it still comes. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

static volatile sig_atomic_t got, number;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	got = sig;
	number = info->si_fd;
}

int main(void)
{
	struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	struct f_owner_ex owner = { F_OWNER_PGRP, getpgrp() };
	int pair[2], ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	must(pipe(ends));
	must(sigaction(SIGUSR1, &a, NULL));
	must(fcntl(pair[0], F_SETOWN, getpid()));
	must(fcntl(pair[0], F_SETSIG, SIGUSR1));
	must(fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	must(fcntl(ends[1], F_SETOWN_EX, &owner));
	checkpoint();
	check(fcntl(pair[0], F_GETOWN) == getpid() && fcntl(pair[0], F_GETSIG) == SIGUSR1);
	check(fcntl(pair[0], F_GETFL) & O_ASYNC && fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	check(!fcntl(ends[1], F_GETOWN_EX, &owner) && owner.type == F_OWNER_PGRP &&
	      owner.pid == getpgrp());
	check(!got, "the restore sends nothing");
	check(write(pair[1], "x", 1) == 1 && got == SIGUSR1 && number == pair[0]);
	return test_end();
}
