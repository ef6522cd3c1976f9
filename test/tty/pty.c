/*
 * A pseudo terminal in canonical mode: finished lines, one that VEOF ended, an unfinished one, what
 * the master has not read, modes with a speed of its own, size, several descriptions.
 */
#include "tty.h"

#include <sys/stat.h>

struct modes2 {
	unsigned int flag[4];
	unsigned char line, cc[19];
	unsigned int speed[2];
};

int main(void)
{
	struct winsize size = {.ws_row = 12, .ws_col = 34, .ws_xpixel = 5, .ws_ypixel = 6}, now;
	struct stat before, after;
	struct modes2 m, m2;
	int slave, master = pair(&slave), other;
	char name[64];
	unsigned int one = 1, lock = 0;

	strcpy(name, must_ptr(ptsname(master)));
	other = must(open(name, O_WRONLY | O_NOCTTY | O_NONBLOCK));
	must(ioctl(slave, _IOR('T', 0x2A, struct modes2), &m));
	m.flag[2] = (m.flag[2] & ~(unsigned int)CBAUD) | CBAUDEX;
	m.speed[0] = m.speed[1] = 12345;
	m.cc[VEOL] = '!';
	m.flag[3] &= ~(unsigned int)ECHO;
	must(ioctl(slave, _IOW('T', 0x2B, struct modes2), &m));
	must(ioctl(master, TIOCSWINSZ, &size));
	must(ioctl(slave, TIOCEXCL));
	must(fchmod(slave, 0621));
	must_true(write(master, "one\ntwo!end\4\4par", 16) == 16);
	must_true(write(slave, "out\nput", 7) == 7);
	wait_unread(slave, 11);
	wait_unread(master, 8);
	must(fstat(slave, &before));
	checkpoint();
	check(!fstat(slave, &after) && after.st_rdev == before.st_rdev &&
	      after.st_mode == before.st_mode);
	check(!strcmp(name, must_ptr(ptsname(master))));
	check(!ioctl(slave, _IOR('T', 0x2A, struct modes2), &m2) && !memcmp(&m, &m2, sizeof(m)));
	check(!ioctl(slave, TIOCGWINSZ, &now) && !memcmp(&size, &now, sizeof(now)));
	check((fcntl(other, F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == (O_NONBLOCK | O_WRONLY));
	check(!ioctl(slave, TIOCGEXCL, &one) && one);
	check(!ioctl(master, TIOCGPTLCK, &lock) && !lock);
	gives(slave, "one\n");
	gives(slave, "two!");
	gives(slave, "end");
	gives(slave, "");
	check(write(master, "t\177s\n", 4) == 4);
	gives(slave, "pars\n");
	gives(master, "out\r\nput");
	check(write(other, "x", 1) == 1);
	gives(master, "x");
	return test_end();
}
