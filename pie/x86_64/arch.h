#pragma once

/*
 * x86-64: system calls, the entry, starting a task on a stack of its own, leaving the blob.
 * Red zone: the kernel does not touch it and no signal is delivered while the blob runs.
 */
enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_PREAD64 = 17,
	NR_PWRITE64 = 18,
	NR_PAUSE = 34,
	NR_FUTEX = 202,
	NR_EXIT_GROUP = 231,
	NR_CLONE3 = 435
};

static inline long arch_call(long nr, const long *a)
{
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

static inline void arch_pause(void)
{
	static const long none[6];

	(void)arch_call(NR_PAUSE, none);
}

static inline void arch_exit(void)
{
	static const long one[6] = { 1 };

	(void)arch_call(NR_EXIT_GROUP, one);
}

/* The child has the parent's registers, so what it needs waits in r12 and r13, not in memory. */
static inline long arch_start(long clone_args, long size, char *base, long program)
{
	register char *r12 __asm__("r12") = base;
	register long r13 __asm__("r13") = program;
	long r;

	__asm__ volatile("syscall\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r12, %%rdi\n\t"
			 "mov %%r13, %%rsi\n\t"
			 "call run\n\t"
			 "1:"
			 : "=a"(r)
			 : "0"((long)NR_CLONE3), "D"(clone_args), "S"(size), "r"(r12), "r"(r13)
			 : "rcx", "r11", "rdx", "memory");
	return r;
}

static inline _Noreturn void arch_leave(const long *a)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "jmp *%4"
			 :
			 : "r"(a[0]), "a"(a[1]), "D"(a[2]), "S"(a[3]), "r"(a[4])
			 : "memory");
	__builtin_unreachable();
}

/* Entry at offset 0: rdi = area, rsi = program, rsp = a stack. */
__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n"
	"_start:\n\t"
	"xor %ebp, %ebp\n\t"
	"and $-16, %rsp\n\t"
	"call run\n\t"
	".text");
