/*
 * Vector and floating point registers across the checkpoint: loaded in assembly, then a futex wait
 * by the same piece of assembly, then stored. x87 stack and control word, MXCSR, YMM, and where the
 * cpu has them ZMM and the opmasks; in the leader of a child and in other threads.
 */
#include "test.h"

#include <linux/futex.h>
#include <sys/syscall.h>

struct registers {
	uint8_t zmm[32][64] __attribute__((aligned(64)));
	uint64_t mask[8];
	uint8_t x87[8][16];
	uint32_t mxcsr;
	uint16_t control;
};

struct wait {
	uint32_t *word;
	struct registers in, out;
	uint64_t seed;
	bool wide;
};

#define SLEEP \
	"1: mov $202, %%eax\n\t mov %[word], %%rdi\n\t mov $0, %%esi\n\t mov $0, %%edx\n\t" \
	"xor %%r10d, %%r10d\n\t syscall\n\t cmpl $0, (%[word])\n\t je 1b\n\t"
#define LY(i) "vmovdqu 64*" #i "(%[in]), %%ymm" #i "\n\t"
#define SY(i) "vmovdqu %%ymm" #i ", 64*" #i "(%[out])\n\t"
#define LZ(i) "vmovdqu64 64*" #i "(%[in]), %%zmm" #i "\n\t"
#define SZ(i) "vmovdqu64 %%zmm" #i ", 64*" #i "(%[out])\n\t"
#define LK(i) "kmovw 2048+8*" #i "(%[in]), %%k" #i "\n\t"
#define SK(i) "kmovw %%k" #i ", 2048+8*" #i "(%[out])\n\t"
#define LF(i) "fldt 2112+16*" #i "(%[in])\n\t"
#define SF(i) "fstpt 2112+16*" #i "(%[out])\n\t"
#define LOW(op)                                                                                 \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) \
		op(14) op(15)
#define HIGH(op)                                                                                   \
	op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23) op(24) op(25) op(26) op(27) op(28) \
		op(29) op(30) op(31)
#define LOAD_CONTROL                                                                             \
	"fninit\n\t fldcw 2244(%[in])\n\t ldmxcsr 2240(%[in])\n\t" LF(7) LF(6) LF(5) LF(4) LF(3) \
		LF(2)
#define STORE_CONTROL                                                                    \
	"fnstcw 2244(%[out])\n\t stmxcsr 2240(%[out])\n\t" SF(2) SF(3) SF(4) SF(5) SF(6) \
		SF(7) "fninit\n\t"
#define CLOBBER                                                                                    \
	"rax", "rcx", "rdx", "rdi", "rsi", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2",   \
		"xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
		"xmm13", "xmm14", "xmm15"

_Static_assert(offsetof(struct registers, x87) == 2112 && offsetof(struct registers, mxcsr) == 2240,
	       "used above");

static void sleep_with_registers(struct wait *w)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	if (w->wide)
		__asm__ volatile(LOAD_CONTROL LOW(LZ) HIGH(LZ) LK(1) LK(2) LK(3) LK(4) LK(5) LK(6)
					 LK(7) SLEEP STORE_CONTROL LOW(SZ) HIGH(SZ) SK(1) SK(2)
						 SK(3) SK(4) SK(5) SK(6) SK(7)::[in] "r"(&w->in),
				 [out] "r"(&w->out), [word] "r"(w->word)
				 : CLOBBER);
	else
		__asm__ volatile(LOAD_CONTROL LOW(LY) SLEEP STORE_CONTROL LOW(SY)::[in] "r"(&w->in),
				 [out] "r"(&w->out), [word] "r"(w->word)
				 : CLOBBER);
	__asm__ volatile("vzeroupper\n\t ldmxcsr %0" ::"m"(mxcsr));
}

static void registers_fill(struct registers *r, uint64_t seed)
{
	pattern_fill(r, sizeof(*r), seed);
	for (int i = 0; i < 8; i++) {
		long double value = 1.0L / (3 + i + seed);

		memcpy(r->x87[i], &value, 10);
		r->mask[i] &= 0xffff;
	}
	r->mxcsr = 0x1f80 | (seed & 3) << 13 | 0x8000;
	r->control = 0x037f | (seed & 3) << 10;
}

static void run(void *arg)
{
	struct wait *w = arg;
	size_t vector = w->wide ? 64 : 32;

	registers_fill(&w->in, w->seed);
	checkpoint_arrive();
	sleep_with_registers(w);
	for (int i = 0; i < (w->wide ? 32 : 16); i++)
		check(!memcmp(w->in.zmm[i], w->out.zmm[i], vector), "vector register %d", i);
	for (int i = 1; i < 8 && w->wide; i++)
		check(w->in.mask[i] == (w->out.mask[i] & 0xffff), "mask register %d", i);
	for (int i = 2; i < 8; i++)
		check(!memcmp(w->in.x87[i], w->out.x87[i], 10), "x87 register %d", i);
	check(w->in.mxcsr == w->out.mxcsr && w->in.control == w->out.control,
	      "mxcsr %#x control %#x", w->out.mxcsr, w->out.control);
}

int main(void)
{
	enum { COUNT = 6 };
	uint32_t *word = shared_alloc(4096);
	struct wait *w = shared_alloc(COUNT * sizeof(*w));

	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx"))
		skip("the cpu has no avx");
	for (int i = 0; i < COUNT; i++) {
		w[i].word = word;
		w[i].seed = i + 1;
		w[i].wide = i & 1 && __builtin_cpu_supports("avx512f");
		if (i < COUNT / 2)
			task_run(run, &w[i]);
		else
			thread_run(run, &w[i]);
	}
	checkpoint();
	event_add(word);
	return test_end();
}
