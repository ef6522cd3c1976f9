/* Raw mode with VMIN, and more on its way in both directions than the line discipline holds. */
#include "tty.h"

enum { MUCH = 9000 };

static void expect(int fd)
{
	static char want[MUCH], got[MUCH];
	size_t n = 0;

	pattern_fill(want, MUCH, 7);
	while (n < MUCH) {
		long r = read(fd, got + n, MUCH - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	check(n == MUCH && !memcmp(want, got, MUCH), "%zu", n);
}

int main(void)
{
	static char bytes[MUCH];
	int slave, master = pair(&slave), small, few = pair(&small);
	struct termios t;

	raw(slave);
	raw(small);
	must(tcgetattr(small, &t));
	t.c_cc[VMIN] = 5;
	t.c_cc[VTIME] = 7;
	must(tcsetattr(small, TCSANOW, &t));
	pattern_fill(bytes, MUCH, 7);
	must_true(write(master, bytes, MUCH) == MUCH);
	must_true(write(slave, bytes, MUCH) == MUCH);
	wait_unread(slave, 4095);
	wait_unread(master, 4095);
	must_true(write(few, "\3\21x", 3) == 3);
	wait_unread(small, 3);
	checkpoint();
	expect(slave);
	expect(master);
	check(!tcgetattr(small, &t) && t.c_cc[VMIN] == 5 && t.c_cc[VTIME] == 7);
	check(unread(small) == 3);
	check(write(few, "yz", 2) == 2);
	gives(small, "\3\21xyz");
	return test_end();
}
