/*
 * The calling process about itself: files of /proc/self, capabilities, groups, limits, and what its
 * kernel can do for a task that will be forked from it. Used by the coordinator while planning and
 * by a forked task before the blob, which are single-threaded, so "self" needs no thread id.
 */
#include "kernel/own.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/fd.h"

enum { TIMER_IDS = 77, TIMER_IDS_GET = 2 };

static int open_own(const char *name, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/%s", name);
	return (int)sys(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

int own_write(const char *name, const char *text)
{
	_close_ int fd = open_own(name, O_WRONLY);
	long r = fd < 0 ? fd : sys(SYS_write, fd, text, strlen(text));

	return r < 0 ? (int)r : 0;
}

int own_read(const char *name, char *buf, size_t size)
{
	_close_ int fd = open_own(name, O_RDONLY);
	long r = fd < 0 ? fd : sys(SYS_read, fd, buf, size - 1);

	if (r < 0)
		return (int)r;
	buf[r] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return (int)r;
}

int own_capabilities(uint64_t ret[3])
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };
	long r = sys(SYS_capget, &head, data);

	if (r < 0)
		return (int)r;
	ret[0] = data[0].effective | (uint64_t)data[1].effective << 32;
	ret[1] = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret[2] = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

bool own_capable(unsigned int cap)
{
	uint64_t set[3];

	return !own_capabilities(set) && (set[0] >> cap & 1);
}

int own_groups(uint32_t *ret, int n)
{
	long have = sys(SYS_getgroups, 0, NULL);

	if (have < 0 || have > n)
		return (int)have;
	return (int)sys(SYS_getgroups, n, ret);
}

int own_limit(int resource, struct rlimit *ret)
{
	return (int)sys(SYS_prlimit64, 0, resource, NULL, ret);
}

bool own_timer_ids(void)
{
	return sys(SYS_prctl, TIMER_IDS, TIMER_IDS_GET, 0, 0, 0) >= 0;
}

uint64_t own_tick_us(void)
{
	struct timespec t = { 0 };

	return sys(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, &t) < 0
		       ? 0
		       : ((uint64_t)t.tv_nsec + 999) / 1000;
}

int own_seccomp(void)
{
	return (int)sys(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
}

int own_no_new_privs(void)
{
	return (int)sys(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

int own_securebits(void)
{
	return (int)sys(SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
}

uint64_t own_bounding(void)
{
	uint64_t set = 0;
	long has = 0;

	for (int cap = 0; cap < 64 && has >= 0; cap++) {
		has = sys(SYS_prctl, PR_CAPBSET_READ, cap, 0, 0, 0);
		set |= has > 0 ? 1ull << cap : 0;
	}
	return set;
}

bool own_knows_capability(int cap)
{
	return sys(SYS_prctl, PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
}

int own_open_path(int dirfd, const char *name)
{
	return (int)sys(SYS_openat, dirfd, name, O_PATH | O_CLOEXEC, 0);
}

bool own_other_cpus(void)
{
	uint64_t mask[128] = { 0 };
	int n = 0;

	if (sys(SYS_sched_getaffinity, 0, sizeof(mask), mask) <= 0)
		return false;
	for (size_t i = 0; i < sizeof(mask) / sizeof(*mask); i++)
		n += __builtin_popcountll(mask[i]);
	return n > 1;
}
