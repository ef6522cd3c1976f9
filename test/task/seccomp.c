/*
<<<<<<< HEAD
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
=======
 * Seccomp filters: a chain in all threads of a process (which must stay one for TSYNC), a process
 * whose threads have more than they share, one where only a thread has any, strict mode, and
 * no_new_privs, which is not needed for what root installed.
 */
#include "test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static unsigned int install(int nr, int error, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
>>>>>>> task
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

<<<<<<< HEAD
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
=======
	return (unsigned int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static bool answers(int nr, int error)
{
	errno = 0;
	return syscall(nr, -1, 0, 0, 0) < 0 && errno == error;
}

static void with_more(void *arg)
{
	int error = *(int *)arg;

	must_true(!install(SYS_getpgid, error, 0));
	checkpoint_wait();
	check(answers(SYS_getpgid, error), "errno %d", errno);
	check(answers(SYS_getsid, ECHRNG), "errno %d", errno);
}

static void threads_with_more(void *arg)
{
	static int error[2] = { ELNRNG, EUNATCH };

	(void)arg;
	must_true(!install(SYS_getsid, ECHRNG, SECCOMP_FILTER_FLAG_LOG));
	thread_run(with_more, &error[0]);
	thread_run(with_more, &error[1]);
	checkpoint_wait();
	check(answers(SYS_getsid, ECHRNG), "errno %d", errno);
	check(!answers(SYS_getpgid, ELNRNG));
	thread_join_all();
}

static void with_the_same(void *arg)
{
	(void)arg;
	checkpoint_wait();
	check(answers(SYS_getsid, EL2HLT), "errno %d", errno);
}

static void threads_alike(void *arg)
{
	(void)arg;
	must_true(!install(SYS_getsid, EL2HLT, 0));
	must_true(!install(SYS_getpgid, EL3RST, 0));
	thread_run(with_the_same, NULL);
	thread_run(with_the_same, NULL);
	checkpoint_wait();
	check(answers(SYS_getpgid, EL3RST));
	check(!install(SYS_getpriority, EL3HLT, SECCOMP_FILTER_FLAG_TSYNC));
	thread_join_all();
}

static void filtered_thread(void *arg)
{
	(void)arg;
	must_true(!install(SYS_getsid, ENOCSI, 0));
	checkpoint_wait();
	check(answers(SYS_getsid, ENOCSI));
}

static void one_thread(void *arg)
{
	(void)arg;
	thread_run(filtered_thread, NULL);
	checkpoint_wait();
	check(!answers(SYS_getsid, ENOCSI));
	thread_join_all();
}

/* Only read, write and exit are left to it. */
static void strict(int fd)
{
	char c = 0;

	checkpoint_arrive();
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	syscall(SYS_read, fd, &c, 1);
	syscall(SYS_exit, c == 'x' ? 0 : 1);
>>>>>>> task
}

int main(void)
{
<<<<<<< HEAD
	again = shared_alloc(4096);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	thread_run(filtered, NULL);
	thread_run(unfiltered, NULL);
	task_run(filtered, NULL);
	if (!task_fork())
		return synchronized();
	checkpoint();
=======
	int fd[2];

	must(pipe(fd));
	task_run(threads_with_more, NULL);
	task_run(threads_alike, NULL);
	task_run(one_thread, NULL);
	if (!task_fork())
		strict(fd[0]);
	checkpoint();
	check(!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) && !prctl(PR_GET_SECCOMP));
	check(write(fd[1], "x", 1) == 1);
>>>>>>> task
	return test_end();
}
