/*
 * A session whose terminal was hung up: the leader ignored the signal and still holds the terminal
 * and /dev/tty; the session has no terminal any more, and may take another one.
 */
#include "tty.h"

#include <signal.h>

static int master, slave;
static uint32_t *opened, *closed;

static void leader(void *arg)
{
	int tty, other, fresh;
	char c;

	(void)arg;
	close(master);
	signal(SIGHUP, SIG_IGN);
	must(setsid());
	must(ioctl(slave, TIOCSCTTY, 0));
	tty = must(open("/dev/tty", O_RDWR));
	event_add(opened);
	event_wait(closed, 1);
	checkpoint_wait();
	check(read(tty, &c, 1) == 0 && write(tty, "x", 1) < 0 && errno == EIO);
	check(read(slave, &c, 1) == 0 && write(slave, "x", 1) < 0 && errno == EIO);
	check(open("/dev/tty", O_RDWR) < 0 && errno == ENXIO);
	other = pair(&fresh);
	check(!ioctl(fresh, TIOCSCTTY, 0) && tcgetsid(other) == getpid());
}

int main(void)
{
	opened = shared_alloc(4096);
	closed = opened + 8;
	checkpoint_prepare();
	master = pair(&slave);
	task_run(leader, NULL);
	close(slave);
	event_wait(opened, 1);
	close(master);
	event_add(closed);
	checkpoint();
	return test_end();
}
