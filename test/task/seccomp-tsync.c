/* After the checkpoint a thread without filters of its own may still filter all threads at once. */
#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static uint32_t *step;

static long deny(int nr, int error, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static void thread(void *arg)
{
	(void)arg;
	checkpoint_wait();
	event_wait(step, 1);
	check(syscall(SYS_getsid, 0) < 0 && errno == 77);
	check(syscall(SYS_getpgid, 0) < 0 && errno == 78);
}

int main(void)
{
	step = shared_alloc(4096);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(deny(SYS_getsid, 77, 0)); /* before the threads: the same object in all */
	for (int i = 0; i < 4; i++)
		thread_run(thread, NULL);
	checkpoint();
	check(deny(SYS_getpgid, 78, SECCOMP_FILTER_FLAG_TSYNC) == 0);
	event_add(step);
	return test_end();
}
