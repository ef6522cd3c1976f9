#pragma once
#include <linux/sched.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A new process with a chosen number (0: any). Like fork: yields 0 in the child, the pid in the
 * parent, or -errno (-EEXIST: the number is held by a task, a zombie, a group or a session).
 */
long clone_process(pid_t pid, uint64_t flags, uint64_t exit_signal);
/*
 * The same with CLONE_VM: the child runs fn(arg), which must not return, on the given stack while
 * it shares everything of libc with its maker, who therefore has to wait.
 */
long clone_sharing(pid_t pid, uint64_t flags, uint64_t exit_signal, void *stack, size_t stack_bytes,
		   void (*fn)(void *), void *arg);
/* Leaves libc behind: stack switched, program `program` of the area is run. */
_Noreturn void blob_enter(void *area, uint64_t program, void *stack_top);
