#pragma once
#include <sys/syscall.h>
#include <sys/types.h>

/*
 * The one way to the kernel for everything above: a raw system call that yields the result or
 * -errno, with the fault injection point in front of it. sys() takes 0 to 6 arguments, integers or
 * pointers. Typed wrappers for common calls follow; calls with structure live in files of their
 * own.
 */
long sys_raw(long nr, long a, long b, long c, long d, long e, long f);

#define SYS_A0(nr) sys_raw(nr, 0, 0, 0, 0, 0, 0)
#define SYS_A1(nr, a) sys_raw(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS_A2(nr, a, b) sys_raw(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_A3(nr, a, b, c) sys_raw(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_A4(nr, a, b, c, d) sys_raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_A5(nr, a, b, c, d, e)                                                                  \
	sys_raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_A6(nr, a, b, c, d, e, f)                                                               \
	sys_raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYS_PICK(a, b, c, d, e, f, g, which, ...) which
#define sys(...)                                                                                   \
	SYS_PICK(__VA_ARGS__, SYS_A6, SYS_A5, SYS_A4, SYS_A3, SYS_A2, SYS_A1, SYS_A0)(__VA_ARGS__)

/* Newer than the headers of the build machine; numbers are equal on all architectures. */
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
