/*
 * ptrace, typed. Two habits of the kernel shape this file:
 *
 * - A stop that a wait has consumed is forgotten: if the tracer dies then, the signal of a
 *   signal-delivery-stop is lost. With WNOWAIT it stays, the next resume supersedes it, and a dying
 *   tracer loses nothing. So stops are only ever looked at.
 * - waitid for any child walks all tracees (quadratic), and waitid for one cannot be bounded in
 * time. So we ask without waiting and sleep in sigtimedwait for SIGCHLD, which the kernel sends for
 * each stop. It coalesces, hence every return is only a reason to ask again.
 */
#include "kernel/ptrace.h"

#include <errno.h>
#include <linux/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/signal.h"
#include "kernel/sys.h"

int trace_seize(pid_t tid, uint32_t options)
{
	return (int)sys(SYS_ptrace, PTRACE_SEIZE, tid, 0, options);
}

int trace_interrupt(pid_t tid)
{
	return (int)sys(SYS_ptrace, PTRACE_INTERRUPT, tid, 0, 0);
}

int trace_options(pid_t tid, uint32_t options)
{
	return (int)sys(SYS_ptrace, PTRACE_SETOPTIONS, tid, 0, options);
}

int trace_cont(pid_t tid, int sig)
{
	return (int)sys(SYS_ptrace, PTRACE_CONT, tid, 0, sig);
}

int trace_syscall(pid_t tid, int sig)
{
	return (int)sys(SYS_ptrace, PTRACE_SYSCALL, tid, 0, sig);
}

int trace_detach(pid_t tid, int sig)
{
	return (int)sys(SYS_ptrace, PTRACE_DETACH, tid, 0, sig);
}

int trace_get_regset(pid_t tid, uint32_t note, void *buf, size_t size)
{
	struct iovec v = { buf, size };
	long r = sys(SYS_ptrace, PTRACE_GETREGSET, tid, note, &v);

	return r < 0 ? (int)r : (int)v.iov_len;
}

int trace_set_regset(pid_t tid, uint32_t note, const void *buf, size_t len)
{
	struct iovec v = { (void *)buf, len };

	return (int)sys(SYS_ptrace, PTRACE_SETREGSET, tid, note, &v);
}

int trace_get_sigmask(pid_t tid, uint64_t *ret)
{
	return (int)sys(SYS_ptrace, PTRACE_GETSIGMASK, tid, sizeof(*ret), ret);
}

int trace_set_sigmask(pid_t tid, uint64_t mask)
{
	return (int)sys(SYS_ptrace, PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}

int trace_siginfo(pid_t tid, siginfo_t *ret)
{
	return (int)sys(SYS_ptrace, PTRACE_GETSIGINFO, tid, 0, ret);
}

int trace_look(pid_t tid, struct trace_stop *ret)
{
	siginfo_t info = { 0 };
	long r = sys(SYS_waitid, P_PID, tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL,
		     0);

	if (r < 0)
		return (int)r;
	*ret = (struct trace_stop){ .what = TRACE_NOTHING };
	if (!info.si_pid)
		return 0;
	ret->what = info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED ? TRACE_STOPPED
									       : TRACE_EXITED;
	ret->event = info.si_status >> 8;
	ret->sig = info.si_status & 0xff;
	return 0;
}

int trace_swallow(pid_t tid)
{
	return (int)sys(SYS_waitid, P_PID, tid, 0, WSTOPPED | WNOHANG | __WALL, 0);
}

int trace_reap(pid_t tid)
{
	return (int)sys(SYS_waitid, P_PID, tid, 0, WEXITED | __WALL, 0);
}

int trace_wait_any(uint64_t timeout_ns)
{
	struct timespec t = { (time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000) };
	uint64_t set = SIGNAL_BIT(SIGCHLD);
	long r = sys(SYS_rt_sigtimedwait, &set, 0, &t, sizeof(set));

	return r == -EAGAIN || r == -EINTR || r > 0 ? 0 : (int)r;
}

int trace_wait_begin(uint64_t *ret_old_mask)
{
	uint64_t set = SIGNAL_BIT(SIGCHLD);

	signal_default(SIGCHLD);
	return (int)sys(SYS_rt_sigprocmask, SIG_BLOCK, &set, ret_old_mask, sizeof(set));
}

int trace_wait_end(uint64_t old_mask)
{
	return signal_set_mask(old_mask);
}

int trace_read(pid_t tid, uint64_t address, void *buf, size_t len)
{
	struct iovec here = { buf, len }, there = { (void *)(uintptr_t)address, len };
	long r = sys(SYS_process_vm_readv, tid, &here, 1, &there, 1, 0);

	return r < 0 ? (int)r : (size_t)r == len ? 0 : -EFAULT;
}

int trace_write(pid_t tid, uint64_t address, const void *buf, size_t len)
{
	struct iovec here = { (void *)buf, len }, there = { (void *)(uintptr_t)address, len };
	long r = sys(SYS_process_vm_writev, tid, &here, 1, &there, 1, 0);

	return r < 0 ? (int)r : (size_t)r == len ? 0 : -EFAULT;
}

int trace_write2(pid_t tid, const struct trace_piece p[2])
{
	struct iovec here[2], there[2];
	long r;

	for (int i = 0; i < 2; i++) {
		here[i] = (struct iovec){ (void *)p[i].bytes, p[i].len };
		there[i] = (struct iovec){ (void *)(uintptr_t)p[i].address, p[i].len };
	}
	r = sys(SYS_process_vm_writev, tid, here, 2, there, 2, 0);
	return r < 0 ? (int)r : (size_t)r == p[0].len + p[1].len ? 0 : -EFAULT;
}

int trace_any_stopped(void)
{
	siginfo_t info = { 0 };
	long r = sys(SYS_waitid, P_ALL, 0, &info, WSTOPPED | WNOHANG | WNOWAIT | __WALL, 0);

	if (r < 0)
		return (int)r;
	return info.si_pid && info.si_code == CLD_TRAPPED ? info.si_pid : -ECHILD;
}
