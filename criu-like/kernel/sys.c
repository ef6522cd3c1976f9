/*
 * Raw system calls. The kernel's own convention (-errno) is used everywhere, so libc's errno never
 * matters and nothing is cached (getpid, tid) behind our back after a raw clone.
 */
#include "kernel/sys.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"

long sys_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	int fault = fault_check();
	long r;

	if (fault && nr != SYS_close && nr != SYS_close_range)
		return fault;
	r = syscall(nr, a, b, c, d, e, f);
	if (fault)
		return fault; /* the kernel closes in any case, whatever it returns */
	return r == -1 ? -errno : r;
}
