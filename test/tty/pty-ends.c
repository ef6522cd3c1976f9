/*
 * Pairs of which one side is closed: a slave whose master is gone, a master whose slave is gone
 * with output nobody read, a master whose slave was never opened.
 */
#include "tty.h"

int main(void)
{
	int slave[3], gone = pair(&slave[0]), left = pair(&slave[1]), hung = pair(&slave[2]), again;
	int fresh = must(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
	struct pollfd p;
	char c, name[64];
	int lock = 0;

	strcpy(name, must_ptr(ptsname(gone)));
	again = must(open(name, O_RDONLY | O_NOCTTY));
	must(close(gone));
	must_true(write(slave[1], "last words", 10) == 10);
	wait_unread(left, 10);
	must(close(slave[1]));
	strcpy(name, must_ptr(ptsname(hung)));
	must(ioctl(slave[2], TIOCVHANGUP));
	slave[1] = must(open(name, O_RDWR | O_NOCTTY));
	checkpoint();
	check(read(slave[0], &c, 1) == 0 && write(slave[0], "x", 1) < 0 && errno == EIO);
	check(read(again, &c, 1) == 0);
	p = (struct pollfd){left, POLLIN, 0};
	check(poll(&p, 1, 0) == 1 && p.revents & POLLHUP, "%x", p.revents);
	gives(left, "last words");
	check(read(left, &c, 1) < 0 && errno == EIO);
	check(read(slave[2], &c, 1) == 0 && write(slave[2], "x", 1) < 0 && errno == EIO);
	raw(slave[1]);
	check(write(hung, "alive", 5) == 5);
	gives(slave[1], "alive");
	check(read(fresh, &c, 1) < 0 && errno == EAGAIN);
	check(!ioctl(fresh, TIOCGPTLCK, &lock) && lock == 1);
	check(!unlockpt(fresh) && open(must_ptr(ptsname(fresh)), O_RDWR | O_NOCTTY) >= 0);
	return test_end();
}
