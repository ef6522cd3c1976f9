/* The highest number of a table of 256 is in use: bash reads its script there. */
#include <fcntl.h>
#include <unistd.h>

#include "test.h"

int main(void)
{
	int fd = must(open("script", O_RDWR | O_CREAT, 0600));

	must(pwrite(fd, "abc", 3, 0));
	must(dup2(fd, 255));
	must(close(fd));

	checkpoint();
	char c = 0;

	check(pread(255, &c, 1, 1) == 1 && c == 'b', "%d", c);
	return test_end();
}
