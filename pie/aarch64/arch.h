#pragma once

/* arm64: the same five things as pie/x86_64/arch.h. There is no pause(2): ppoll without anything
 * sleeps as well. */
enum {
	NR_READ = 63,
	NR_WRITE = 64,
	NR_PREAD64 = 67,
	NR_PWRITE64 = 68,
	NR_PPOLL = 73,
	NR_FUTEX = 98,
	NR_EXIT_GROUP = 94,
	NR_CLONE3 = 435
};

static inline long arch_call(long nr, const long *a)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

static inline void arch_pause(void)
{
	long none[6] = { 0 };

	(void)arch_call(NR_PPOLL, none);
}

static inline void arch_exit(void)
{
	static const long one[6] = { 1 };

	(void)arch_call(NR_EXIT_GROUP, one);
}

static inline long arch_start(long clone_args, long size, char *base, long program)
{
	register long x8 __asm__("x8") = NR_CLONE3;
	register long x0 __asm__("x0") = clone_args;
	register long x1 __asm__("x1") = size;
	register char *x19 __asm__("x19") = base;
	register long x20 __asm__("x20") = program;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x19\n\t"
			 "mov x1, x20\n\t"
			 "bl run\n\t"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x19), "r"(x20)
			 : "x30", "memory");
	return x0;
}

static inline _Noreturn void arch_leave(const long *a)
{
	register long x0 __asm__("x0") = a[2];
	register long x1 __asm__("x1") = a[3];
	register long x8 __asm__("x8") = a[1];

	__asm__ volatile("mov sp, %0\n\tbr %1"
			 :
			 : "r"(a[0]), "r"(a[4]), "r"(x0), "r"(x1), "r"(x8)
			 : "memory");
	__builtin_unreachable();
}

__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n"
	"_start:\n\t"
	"mov x29, xzr\n\t"
	"bl run\n\t"
	".text");
