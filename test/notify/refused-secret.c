/* Secret memory is refused by name: its descriptor, and a mapping whose descriptor is closed. */
/* harness: refused=secret */
#include "test.h"

#include <sys/mman.h>
#include <sys/syscall.h>

int main(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	char *secret;

	if (fd < 0)
		skip("no memfd_secret: %s", strerror(errno));
	must(ftruncate(fd, 4096));
	secret = must_ptr(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	memcpy(secret, "secret", 7);
	checkpoint();
	check(!memcmp(secret, "secret", 7));
	return test_end();
}
