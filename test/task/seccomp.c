/*
 * Filters per thread: two chained ones in the leader's child, another chain in a thread and none in
 * its sibling. They still refuse what they refused, and a common filter can still be added to all.
 */
#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Refuses one system call with the given errno. */
static long deny(int nr, int error, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static bool denied(int nr, int error)
{
	return syscall(nr, -1, -1, -1, -1) < 0 && errno == error;
}

static void filtered(void *arg)
{
	(void)arg;
	must(deny(SYS_fchdir, 101, 0));
	must(deny(SYS_fsync, 102, SECCOMP_FILTER_FLAG_LOG));
	checkpoint_wait();
	check(denied(SYS_fchdir, 101) && denied(SYS_fsync, 102) && denied(SYS_fdatasync, EBADF));
}

static void unfiltered(void *arg)
{
	(void)arg;
	checkpoint_wait();
	check(denied(SYS_fchdir, EBADF) && denied(SYS_fsync, EBADF));
}

/* Sleeps twice: over the checkpoint, and until the other thread has filtered both once more. */
static uint32_t *again;

static void common(void *arg)
{
	(void)arg;
	checkpoint_wait();
	check(denied(SYS_fchdir, 103));
	event_wait(again, 1);
	check(denied(SYS_fsync, 104));
}

/* A filter of all threads; adding another to all works only if theirs is the same object. */
static int synchronized(void)
{
	thread_run(common, NULL);
	must(deny(SYS_fchdir, 103, SECCOMP_FILTER_FLAG_TSYNC));
	checkpoint_wait();
	check(denied(SYS_fchdir, 103));
	check(deny(SYS_fsync, 104, SECCOMP_FILTER_FLAG_TSYNC) == 0, "one chain became several");
	event_add(again);
	return test_end();
}

int main(void)
{
	again = shared_alloc(4096);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	thread_run(filtered, NULL);
	thread_run(unfiltered, NULL);
	task_run(filtered, NULL);
	if (!task_fork())
		return synchronized();
	checkpoint();
	return test_end();
}
