/*
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
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

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
}

int main(void)
{
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
	return test_end();
}
