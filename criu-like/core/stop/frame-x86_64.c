/*
 * The crash frame on x86-64: what rt_sigreturn needs to bring a thread home when nobody is left who
 * could set its registers. At the call rsp must be the address of the ucontext; siginfo is not
 * read.
 * - ss_flags is invalid on purpose: sigreturn then leaves the thread's alternate stack as it is.
 * - fpstate 0 would reset the FPU. The xsave area is cut behind AVX when nothing higher is in use;
 *   components outside the mask come back zeroed, which is what their absence means.
 * - fs and gs bases are not in the frame and not touched by injected code.
 * Injected registers never carry the trap flag (it outlives the tracer), have the direction flag
 * clear, and orig_rax -1, or else the kernel would restart a call in them.
 */
#include <string.h>

#include "core/stop/regs.h"

enum {
	UC_FLAGS = 7, /* FP_XSTATE | SIGCONTEXT_SS | STRICT_SS */
	SS_FLAGS_INVALID = 4,
	XSTATE_SW = 464, /* bytes the kernel leaves to software */
	XSTATE_BV = 512,
	XSTATE_AVX_END = 832,
	MAGIC1 = 0x46505853,
	MAGIC2 = 0x46505845,
	FLAGS = 0x202, /* interrupts on; bit 1 is always set */
};

struct context {
	uint64_t flags, link;
	struct {
		uint64_t sp;
		uint32_t flags, pad;
		uint64_t size;
	} stack;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
		eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
	uint64_t mask;
};
_Static_assert(sizeof(struct context) == FRAME_CONTEXT_BYTES, "struct ucontext of the kernel");

void frame_context(const struct user_regs_struct *h, uint64_t mask, uint64_t fp, void *ret)
{
	struct context c = {
		.flags = UC_FLAGS,
		.stack.flags = SS_FLAGS_INVALID,
		.r8 = h->r8,
		.r9 = h->r9,
		.r10 = h->r10,
		.r11 = h->r11,
		.r12 = h->r12,
		.r13 = h->r13,
		.r14 = h->r14,
		.r15 = h->r15,
		.rdi = h->rdi,
		.rsi = h->rsi,
		.rbp = h->rbp,
		.rbx = h->rbx,
		.rdx = h->rdx,
		.rax = h->rax,
		.rcx = h->rcx,
		.rsp = h->rsp,
		.rip = h->rip,
		.eflags = h->eflags,
		.cs = (uint16_t)h->cs,
		.ss = (uint16_t)h->ss,
		.fpstate = fp,
		.mask = mask,
	};

	memcpy(ret, &c, sizeof(c));
}

uint32_t frame_fp_len(const void *xstate, uint32_t xstate_len)
{
	uint64_t in_use;

	memcpy(&in_use, (const char *)xstate + XSTATE_BV, sizeof(in_use));
	return (in_use & ~7ULL || xstate_len < XSTATE_AVX_END ? xstate_len : XSTATE_AVX_END) +
	       (uint32_t)sizeof(uint32_t);
}

uint32_t frame_fp(const void *xstate, uint32_t xstate_len, void *ret)
{
	struct {
		uint32_t magic1, extended_size;
		uint64_t features;
		uint32_t xstate_size, pad[7];
	} sw = { .magic1 = MAGIC1 };
	const uint32_t magic2 = MAGIC2;
	uint64_t in_use, all;

	memcpy(&in_use, (const char *)xstate + XSTATE_BV, sizeof(in_use));
	memcpy(&all, (const char *)xstate + XSTATE_SW, sizeof(all));
	sw.features = in_use & ~7ULL ? all : 7 & all;
	sw.xstate_size = frame_fp_len(xstate, xstate_len) - (uint32_t)sizeof(magic2);
	sw.extended_size = sw.xstate_size + sizeof(magic2);
	memcpy(ret, xstate, sw.xstate_size);
	memcpy((char *)ret + XSTATE_SW, &sw, sizeof(sw));
	memcpy((char *)ret + sw.xstate_size, &magic2, sizeof(magic2));
	return sw.extended_size;
}

static void enter(struct user_regs_struct *r, uint64_t ip, uint64_t sp)
{
	r->rip = ip;
	r->rsp = sp;
	r->orig_rax = (uint64_t)-1;
	r->eflags = FLAGS;
}

void frame_call(struct user_regs_struct *r, uint64_t ip, uint64_t sp, long call,
		const uint64_t a[6])
{
	enter(r, ip, sp);
	r->rax = (uint64_t)call;
	r->rdi = a[0];
	r->rsi = a[1];
	r->rdx = a[2];
	r->r10 = a[3];
	r->r8 = a[4];
	r->r9 = a[5];
}

void frame_jump(struct user_regs_struct *r, uint64_t ip, uint64_t sp, uint64_t a0, uint64_t a1)
{
	enter(r, ip, sp);
	r->rax = 0;
	r->rdi = a0;
	r->rsi = a1;
}

void frame_list(struct user_regs_struct *r, uint64_t ip, uint64_t sp, uint64_t list)
{
	enter(r, ip, sp);
	r->rbx = list;
}
