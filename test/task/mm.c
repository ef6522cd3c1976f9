/*
 * The address space as the kernel knows it: the break goes on where it was, the stack grows, the
 * executable is the same and cannot be written to, arguments, environment and the auxiliary vector
 * are read through /proc as before.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static size_t slurp(const char *path, char *buf, size_t len)
{
	int fd = must(open(path, O_RDONLY));
	size_t n = 0;
	ssize_t k;

	while (n < len && (k = must(read(fd, buf + n, len - n))) > 0)
		n += (size_t)k;
	close(fd);
	return n;
}

static __attribute__((noinline)) int deep(int depth)
{
	volatile char frame[4096];

	frame[0] = (char)depth;
	return depth ? deep(depth - 1) + frame[0] - (char)depth + 1 : 0;
}

int main(void)
{
	static const char *const files[] = { "/proc/self/cmdline", "/proc/self/environ",
					     "/proc/self/auxv" };
	static char before[3][65536], now[65536];
	char exe[PATH_MAX], exe_now[PATH_MAX];
	size_t len[3];
	uint64_t brk = (uint64_t)must(syscall(SYS_brk, 0));
	ssize_t n = must(readlink("/proc/self/exe", exe, sizeof(exe)));
	int fd;

	must_true((uint64_t)syscall(SYS_brk, brk + 12345) == brk + 12345);
	for (int i = 0; i < 3; i++)
		len[i] = slurp(files[i], before[i], sizeof(before[i]));
	checkpoint();
	for (int i = 0; i < 3; i++)
		check(slurp(files[i], now, sizeof(now)) == len[i] &&
			      !memcmp(now, before[i], len[i]),
		      "%s", files[i]);
	check(readlink("/proc/self/exe", exe_now, sizeof(exe_now)) == n &&
	      !memcmp(exe, exe_now, (size_t)n));
	exe[n] = 0;
	fd = open(exe, O_WRONLY);
	check(fd < 0 && errno == ETXTBSY, "the executable can be written to");
	check((uint64_t)syscall(SYS_brk, 0) == brk + 12345);
	check((uint64_t)syscall(SYS_brk, brk + 100000) == brk + 100000);
	*(volatile char *)(brk + 99999) = 1;
	check((uint64_t)syscall(SYS_brk, brk) == brk);
	check(deep(1500) == 1500);
	return test_end();
}
