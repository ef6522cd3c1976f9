/* Stopped output, by the program and by the reader, and packet mode. */
#include "tty.h"

static bool writable(int fd)
{
	return poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 0) == 1;
}

int main(void)
{
	int slave, master = pair(&slave), other, reader = pair(&other), packet = 0;
	struct termios t;

	raw(slave);
	must(tcflow(slave, TCOOFF));
	must(tcgetattr(other, &t));
	t.c_lflag &= ~(tcflag_t)ECHO;
	must(tcsetattr(other, TCSANOW, &t));
	must_true(write(other, "before", 6) == 6);
	wait_unread(reader, 6);
	must_true(write(reader, "\23", 1) == 1);
	while (writable(other))
		must(poll(NULL, 0, 1));
	must(ioctl(master, TIOCPKT, &(int){1}));
	checkpoint();
	check(!writable(slave) && !writable(other));
	check(!ioctl(master, TIOCGPKT, &packet) && packet == 1);
	gives(reader, "before");
	check(write(reader, "\21", 1) == 1);
	check(poll(&(struct pollfd){other, POLLOUT, 0}, 1, 10000) == 1);
	check(write(other, "after", 5) == 5);
	gives(reader, "after");
	check(!tcflow(slave, TCOON) && writable(slave));
	gives(master, "\10");
	check(write(slave, "data", 4) == 4);
	gives(master, "\0data");
	return test_end();
}
