/* A virtual console by its name, with modes of its own. */
/* harness: modes=restore */
#include "tty.h"

#include <sys/stat.h>

int main(void)
{
	struct termios t, now;
	struct stat before, after;
	int fd = open("/dev/tty9", O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || tcgetattr(fd, &t))
		skip("no virtual consoles here");
	t.c_lflag ^= ECHO;
	must(tcsetattr(fd, TCSANOW, &t));
	must(fstat(fd, &before));
	checkpoint();
	check(!fstat(fd, &after) && after.st_rdev == before.st_rdev);
	check(!tcgetattr(fd, &now) && now.c_lflag == t.c_lflag);
	check(fcntl(fd, F_GETFL) & O_NONBLOCK);
	t.c_lflag ^= ECHO;
	(void)tcsetattr(fd, TCSANOW, &t);
	return test_end();
}
