/* Devices without state, each still the one it was. */
#include "test.h"

#include <fcntl.h>

int main(void)
{
	int null = must(open("/dev/null", O_WRONLY | O_CLOEXEC)),
	    zero = must(open("/dev/zero", O_RDONLY));
	int full = must(open("/dev/full", O_RDWR)), urandom = must(open("/dev/urandom", O_RDONLY));
	char buf[16] = "not zero", none[16] = { 0 };

	checkpoint();
	check(write(null, buf, 16) == 16 && fcntl(null, F_GETFD) == FD_CLOEXEC);
	check(read(zero, buf, 16) == 16 && !memcmp(buf, none, 16));
	check(write(full, buf, 1) == -1 && errno == ENOSPC);
	check(read(urandom, buf, 16) == 16 && memcmp(buf, none, 16));
	return test_end();
}
