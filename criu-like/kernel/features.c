/*
 * Probes of kernel features and privileges. Each makes the call that a run would make, with
 * arguments that change nothing: asking for pid 1, which exists, tells whether choosing pids is
 * allowed; a filter number that no task has tells whether filters may be read. Where a call cannot
 * be tried without effect, the capability that the kernel looks at is asked for.
 */
#include "kernel/features.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/clone.h"
#include "kernel/nftables.h"
#include "kernel/own.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif
enum { SECCOMP_GET_FILTER = 0x420c, MEMBARRIER_GET_REGISTRATIONS = 512 };
enum { UFFD_WP_ASYNC = 1 << 15, UFFD_USER_ONLY = 1 };

static int negative(long r)
{
	return r < 0 ? (int)r : 0;
}

/* pid 1 exists in every pid namespace; who may choose pids is told so, others are told no. */
static int probe_set_tid(void)
{
	long pid = clone_process(1, 0, SIGCHLD);

	if (!pid)
		_exit(0);
	return pid == -EEXIST ? 0 : negative(pid);
}

static int inspect(pid_t pid, int (*look)(pid_t))
{
	int status, r = negative(sys(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0));

	r = r ?: negative(sys(SYS_ptrace, PTRACE_INTERRUPT, pid, 0, 0));
	if (r)
		return r;
	if (signal_reap(pid, false, &status) != pid)
		return -ECHILD;
	return look ? look(pid) : 0;
}

/* A child that sleeps is stopped and looked at. */
static int with_stopped(int (*look)(pid_t))
{
	long pid = clone_process(0, 0, SIGCHLD);
	int r, status;

	if (!pid)
		for (;;)
			(void)sys(SYS_pause); /* until it is killed */
	if (pid < 0)
		return (int)pid;
	r = inspect((pid_t)pid, look);
	(void)sys(SYS_kill, pid, SIGKILL); /* it is our child and not reaped */
	while (signal_reap((pid_t)pid, false, &status) == pid && !WIFEXITED(status) &&
	       !WIFSIGNALED(status))
		;
	return r;
}

static int probe_ptrace(void)
{
	return with_stopped(NULL);
}

static int look_at_filters(pid_t pid)
{
	int r = negative(sys(SYS_ptrace, SECCOMP_GET_FILTER, pid, 0, NULL));

	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static int probe_seccomp_dump(void)
{
	return with_stopped(look_at_filters);
}

static int probe_ptrace_others(void)
{
	return own_capable(CAP_SYS_PTRACE) ? 0 : -EPERM;
}

static int probe_kcmp(void)
{
	long self = sys(SYS_getpid);

	return negative(sys(SYS_kcmp, self, self, KCMP_VM, 0, 0));
}

static int probe_pidfd_getfd(void)
{
	_close_ int fd = (int)sys(SYS_pidfd_open, sys(SYS_getpid), 0), copy = -1;

	if (fd < 0)
		return fd;
	copy = (int)sys(SYS_pidfd_getfd, fd, fd, 0);
	return negative(copy);
}

static int probe_map_files(void)
{
	_close_ int fd = -1;

	if (own_capable(CAP_CHECKPOINT_RESTORE) || own_capable(CAP_SYS_ADMIN))
		fd = (int)sys(SYS_openat, AT_FDCWD, "/proc/self/map_files", O_RDONLY | O_CLOEXEC);
	else
		return -EPERM;
	return negative(fd);
}

/* The size of the structure is told to everybody where the call exists. */
static int probe_mm_map(void)
{
	unsigned int size;
	int r = negative(sys(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));

	if (r)
		return r;
	return own_capable(CAP_CHECKPOINT_RESTORE) || own_capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static int probe_admin(void)
{
	return own_capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static int probe_resource(void)
{
	return own_capable(CAP_SYS_RESOURCE) ? 0 : -EPERM;
}

static int probe_ids(void)
{
	return own_capable(CAP_SETUID) && own_capable(CAP_SETGID) ? 0 : -EPERM;
}

static int probe_scan(void)
{
	/* PAGEMAP_SCAN with an argument of size 0: the call exists if it complains about that. */
	const unsigned long scan = 0xc0606610;
	uint64_t argument[12] = { 0 };
	_close_ int fd = (int)sys(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fd;
	r = negative(sys(SYS_ioctl, fd, scan, argument));
	return r == -ENOTTY ? -ENOSYS : 0;
}

static int probe_write_protect(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_WP_ASYNC };
	_close_ int fd = (int)sys(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_ONLY);

	return fd < 0 ? fd : negative(sys(SYS_ioctl, fd, UFFDIO_API, &api));
}

static int probe_timer_ids(void)
{
	return own_timer_ids() ? 0 : -ENOSYS;
}

static int probe_membarrier(void)
{
	return negative(sys(SYS_membarrier, MEMBARRIER_GET_REGISTRATIONS, 0, 0));
}

/* A socket of its own, never connected: needs CAP_NET_ADMIN in its network namespace. */
static int probe_tcp_repair(void)
{
	const int on = 1;
	_close_ int fd = (int)sys(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? fd
		      : negative(sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)));
}

/* That a table which nobody has is missing is told only to those who may make one. */
static int probe_nftables(void)
{
	_close_ int fd = nft_socket();
	struct arena a;
	int r;

	if (fd < 0)
		return fd;
	arena_init(&a);
	r = nft_exists(fd, &a, "torpor-probe");
	arena_deinit(&a);
	return r == -ENOENT ? 0 : r == -EOPNOTSUPP ? -ENOSYS : negative(r);
}

static int probe_time_namespaces(void)
{
	return negative(sys(SYS_access, "/proc/self/ns/time", F_OK));
}

const struct feature features[] = {
	{ "clone3_set_tid", "processes come back with their pids", true, probe_set_tid },
	{ "ptrace", "tasks are stopped and looked at", true, probe_ptrace },
	{ "ptrace_others", "also those of other users", false, probe_ptrace_others },
	{ "map_files", "mapped files are told exactly, deleted ones too", true, probe_map_files },
	{ "set_mm_map", "limits of code, data and arguments come back", true, probe_mm_map },
	{ "kcmp", "what tasks share is told", true, probe_kcmp },
	{ "pidfd_getfd", "descriptors are looked at from outside", true, probe_pidfd_getfd },
	{ "set_ids", "tasks of other users come back as theirs", false, probe_ids },
	{ "sys_admin", "seccomp filters and what only root may change", false, probe_admin },
	{ "seccomp_filters", "filters are saved", false, probe_seccomp_dump },
	{ "sys_resource", "hard limits above the tool's own come back", false, probe_resource },
	{ "pagemap_scan", "pages are found fast (6.7)", false, probe_scan },
	{ "timer_cr_ids", "POSIX timers come back with their numbers at once (6.15)", false,
	  probe_timer_ids },
	{ "membarrier_get", "membarrier registrations are told (6.3)", false, probe_membarrier },
	{ "uffd_wp_async", "written pages are tracked (6.7)", false, probe_write_protect },
	{ "tcp_repair", "TCP connections are saved and come back", false, probe_tcp_repair },
	{ "nftables", "their packets are held back meanwhile (--network-lock)", false,
	  probe_nftables },
	{ "timens", "clocks can go on after a reboot or on another host", false,
	  probe_time_namespaces },
	{ 0 },
};

const char *feature_reason(int result)
{
	switch (result) {
	case 0: return "";
	case -EPERM:
	case -EACCES: return "no permission";
	case -ENOSYS:
	case -EINVAL:
	case -ENOENT: return "this kernel has it not";
	default: return strerror(-result);
	}
}
