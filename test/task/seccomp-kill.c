/* Filters that kill still kill, with SIGSYS; strict mode still does; children inherit a chain. */
#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static uint32_t *ready, *go;

static void kill_on(int nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
}

static pid_t killed(int nr)
{
	const struct rlimit none = { 0, 0 };
	pid_t pid = must(fork());

	if (pid)
		return pid;
	must(setrlimit(RLIMIT_CORE, &none));
	kill_on(SYS_getpgid);
	event_add(ready);
	event_wait(go, 1);
	syscall(nr, 0);
	_exit(9);
}

int main(void)
{
	pid_t pid[3];
	int status;

	ready = shared_alloc(4096);
	go = shared_alloc(4096);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	kill_on(SYS_getsid);
	pid[0] = killed(SYS_getsid); /* by what it inherited */
	pid[1] = killed(SYS_getpgid);
	pid[2] = killed(SYS_getppid);
	event_wait(ready, 3);
	checkpoint();
	event_add(go);
	for (int i = 0; i < 2; i++)
		check(waitpid(pid[i], &status, 0) == pid[i] && WIFSIGNALED(status) &&
			      WTERMSIG(status) == SIGSYS,
		      "task %d ends with %#x", i, status);
	check(waitpid(pid[2], &status, 0) == pid[2] && WEXITSTATUS(status) == 9, "%#x", status);
	return test_end();
}
