/*
 * A session leader whose terminal nobody has open any more but the master, and whose foreground
 * group has ended; a terminal that another process has open for it.
 */
#include "tty.h"

#include <signal.h>
#include <sys/wait.h>

static int master[2], slave[2];

static void leader(void *arg)
{
	int which = arg != NULL;
	pid_t child;

	must(setsid());
	must(ioctl(slave[which], TIOCSCTTY, 0));
	signal(SIGTTOU, SIG_IGN);
	child = must(fork());
	if (!child) {
		setpgid(0, 0);
		tcsetpgrp(slave[which], getpid());
		_exit(0);
	}
	must(waitpid(child, NULL, 0));
	for (int i = 0; i < 2; i++) {
		close(master[i]);
		close(slave[i]);
	}
	checkpoint_wait();
	slave[which] = open("/dev/tty", O_RDWR);
	check(slave[which] >= 0 && tcgetsid(slave[which]) == getpid());
	check(tcgetpgrp(slave[which]) == child, "%d, not %d", tcgetpgrp(slave[which]), child);
	check(!tcsetpgrp(slave[which], getpid()));
}

int main(void)
{
	checkpoint_prepare();
	for (int i = 0; i < 2; i++)
		master[i] = pair(&slave[i]);
	task_run(leader, NULL);
	task_run(leader, &slave);
	close(slave[0]);
	checkpoint();
	check(write(slave[1], "x", 1) == 1);
	gives(master[1], "x");
	return test_end();
}
