/*
 * clone3 with set_tid (5.5; CAP_CHECKPOINT_RESTORE since 5.9), raw: libc's fork would run handlers
 * and reset state that a single-threaded tool does not need. The entry into the blob is here as
 * well.
 */
#include <signal.h>
#include <string.h>

#include "base/fault.h"
#include "kernel/clone.h"
#include "kernel/sys.h"

long clone_process(pid_t pid, uint64_t flags, uint64_t exit_signal)
{
	struct clone_args a = { .flags = flags, .exit_signal = exit_signal,
				.set_tid = pid ? (uint64_t)(uintptr_t)&pid : 0,
				.set_tid_size = pid ? 1 : 0 };

	return sys(SYS_clone3, &a, sizeof(a));
}

long clone_sharing(pid_t pid, uint64_t flags, uint64_t exit_signal, void *stack, size_t stack_bytes,
		   void (*fn)(void *), void *arg)
{
	struct clone_args a = { .flags = flags, .exit_signal = exit_signal,
				.stack = (uint64_t)(uintptr_t)stack, .stack_size = stack_bytes,
				.set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1 };
	register void (*r12)(void *) __asm__("r12") = fn;
	register void *r13 __asm__("r13") = arg;
	long r = fault_check();

	if (r)
		return r;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "hlt\n\t"
			 "1:"
			 : "=a"(r)
			 : "0"((long)SYS_clone3), "D"(&a), "S"(sizeof(a)), "r"(r12), "r"(r13)
			 : "rcx", "r11", "rdx", "memory");
	return r;
}

_Noreturn void blob_enter(void *area, uint64_t program, void *stack_top)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "jmp *%1"
			 :
			 : "r"(stack_top), "r"(area), "D"(area), "S"(program)
			 : "memory");
	__builtin_unreachable();
}
