/* A userfaultfd is refused by name. */
/* harness: refused=userfaultfd */
#include "test.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>

int main(void)
{
	if (syscall(SYS_userfaultfd, O_NONBLOCK | UFFD_USER_MODE_ONLY) < 0)
		skip("no userfaultfd: %s", strerror(errno));
	checkpoint();
	return test_end();
}
