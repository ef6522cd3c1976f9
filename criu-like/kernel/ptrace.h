#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * ptrace and the waits that belong to it, typed. All yield 0 or -errno unless stated otherwise, and
 * nothing is logged. ESRCH means: the thread is gone, or runs, or is not ours.
 */
enum {
	TRACE_SYSGOOD = 1 << 0,
	TRACE_FORK = 1 << 1,
	TRACE_VFORK = 1 << 2,
	TRACE_CLONE = 1 << 3,
	TRACE_EXEC = 1 << 4,
	TRACE_SUSPEND_SECCOMP = 1 << 21,
};

/* What waitid tells about a tracee. */
enum trace_what { TRACE_NOTHING, TRACE_STOPPED, TRACE_EXITED };
struct trace_stop {
	enum trace_what what;
	int event; /* PTRACE_EVENT_x; TRACE_EVENT_STOP: interrupt or group stop, told apart by the
		      signal */
	int sig;   /* signal-delivery-stop (event 0): which; SIGTRAP|0x80: system call stop */
};
enum { TRACE_EVENT_EXEC = 4, TRACE_EVENT_STOP = 128, TRACE_SYSCALL_STOP = SIGTRAP | 0x80 };

int trace_seize(pid_t tid, uint32_t options);
int trace_interrupt(pid_t tid);
int trace_options(pid_t tid, uint32_t options);
/* Resume; sig is delivered when the tracee is in a signal-delivery-stop. */
int trace_cont(pid_t tid, int sig);
int trace_syscall(pid_t tid, int sig);
int trace_detach(pid_t tid, int sig);

/* Register sets by note type (NT_x of elf.h); yields the length, or -errno. */
int trace_get_regset(pid_t tid, uint32_t note, void *buf, size_t size);
int trace_set_regset(pid_t tid, uint32_t note, const void *buf, size_t len);
/* The real mask also while a temporary one is in force (5.1+); setting drops the temporary one. */
int trace_get_sigmask(pid_t tid, uint64_t *ret);
int trace_set_sigmask(pid_t tid, uint64_t mask);
int trace_siginfo(pid_t tid, siginfo_t *ret);

/*
 * What there is to report, without waiting and without taking it: a signal whose stop was taken is
 * lost when the tracer dies, one that was only looked at is delivered then. -ECHILD: no such
 * tracee.
 */
int trace_look(pid_t tid, struct trace_stop *ret);
/* Takes a stop on purpose: its signal is gone if the tracer dies before the next resume. */
int trace_swallow(pid_t tid);
/* Takes the exit status of a dead tracee; waits for it. */
int trace_reap(pid_t tid);
/* Waits for the next SIGCHLD, which must be blocked: a tracee stopped or died. At most so long. */
int trace_wait_any(uint64_t timeout_ns);
/* Makes trace_wait_any() work: SIGCHLD blocked and not ignored. The old mask goes back later. */
int trace_wait_begin(uint64_t *ret_old_mask);
int trace_wait_end(uint64_t old_mask);

/* Memory of a tracee: all or -EFAULT. Respects page protections and never grows a stack. */
int trace_read(pid_t tid, uint64_t address, void *buf, size_t len);
int trace_write(pid_t tid, uint64_t address, const void *buf, size_t len);
struct trace_piece {
	uint64_t address;
	const void *bytes;
	size_t len;
};
int trace_write2(pid_t tid, const struct trace_piece piece[2]);
/* Any tracee that stands in a stop: its number, or -ECHILD when there is none. Quadratic if
 * repeated. */
int trace_any_stopped(void);
