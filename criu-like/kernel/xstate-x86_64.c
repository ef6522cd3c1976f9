/*
 * CPUID leaf 0xD, sub-leaf 0: EAX/EDX features that XCR0 may hold, EBX bytes for those enabled now,
 * which is what NT_X86_XSTATE has. XGETBV tells the enabled ones.
 */
#include <cpuid.h>

#include "kernel/xstate.h"

uint64_t xstate_features(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

uint32_t xstate_size(void)
{
	uint32_t a, b = 0, c, d;

	(void)__get_cpuid_count(0xd, 0, &a, &b, &c, &d); /* 0 only on processors without XSAVE */
	return b;
}
