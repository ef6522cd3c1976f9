/*
 * A session on a terminal, as a shell has it: a job in the foreground, one in the background, a
 * member that gave the terminal up, /dev/tty in two of them as one description.
 */
#include "tty.h"

#include <signal.h>
#include <sys/wait.h>

static int master, slave;
static pid_t *pid;
static uint32_t *looked;

static void with_tty(bool has)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY);

	check(has ? fd >= 0 : fd < 0 && errno == ENXIO);
	if (fd >= 0)
		close(fd);
}

static void job(void *arg)
{
	must(setpgid(0, 0));
	checkpoint_wait();
	with_tty(true);
	check(getpgrp() == getpid());
	check((tcgetpgrp(slave) == getpid()) == (arg != NULL), "%d", tcgetpgrp(slave));
}

static void without(void *arg)
{
	(void)arg;
	must(ioctl(slave, TIOCNOTTY));
	checkpoint_wait();
	with_tty(false);
}

static void session(void *arg)
{
	int tty;
	pid_t front;

	(void)arg;
	must(setsid());
	must(ioctl(slave, TIOCSCTTY, 0));
	tty = must(open("/dev/tty", O_RDWR));
	close(master);
	signal(SIGTTOU, SIG_IGN);
	front = task_run(job, &front);
	(void)task_run(job, NULL);
	(void)task_run(without, NULL);
	setpgid(front, front); /* either of the two is first */
	must(tcsetpgrp(slave, front));
	*pid = front;
	checkpoint_wait();
	check(tcgetsid(tty) == getpid() && tcgetsid(slave) == getpid());
	check(tcgetpgrp(tty) == front);
	check(write(tty, "hello\n", 6) == 6);
	event_wait(looked, 1); /* our end is that of the session */
	_exit(test_end());
}

int main(void)
{
	pid_t leader;

	pid = shared_alloc(4096);
	looked = (uint32_t *)pid + 8;
	checkpoint_prepare();
	master = pair(&slave);
	leader = task_run(session, NULL);
	close(slave);
	checkpoint();
	check(tcgetsid(master) == leader && tcgetpgrp(master) == *pid, "%d %d", tcgetsid(master),
	      tcgetpgrp(master));
	gives(master, "hello\r\n");
	event_add(looked);
	return test_end();
}
