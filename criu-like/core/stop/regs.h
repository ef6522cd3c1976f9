#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

/*
 * What the dump engine must know of a processor; one file per architecture (frame-*.c,
 * restart-*.c). To add one: implement these, and the byte patterns of gadget-*.c.
 */

/* restart-*.c: the interrupted call. */
bool regs_native(const struct user_regs_struct *r, int len_bytes); /* no 32-bit task */
int64_t regs_call(const struct user_regs_struct *r);		   /* number, -1: in none */
int64_t regs_result(const struct user_regs_struct *r);
uint64_t regs_arg(const struct user_regs_struct *r, int i);
void regs_set_result(struct user_regs_struct *r, int64_t result); /* and in no call */
void regs_set_restart(struct user_regs_struct *r, int64_t code); /* the kernel's ERESTARTx */
void regs_rewind(struct user_regs_struct *r, int64_t call);	  /* about to make it */
uint64_t regs_ip(const struct user_regs_struct *r);
uint64_t regs_sp(const struct user_regs_struct *r);
void regs_set_ip(struct user_regs_struct *r, uint64_t ip);
/* Calls that yield EINTR whenever the task is stopped, signal or not. */
bool restart_fails_when_stopped(int64_t call);
/* The number that the code before the instruction pointer loads for its call; -1: not recognised.
 */
enum { RESTART_CODE_BYTES = 16 };
int64_t restart_call_in_code(const uint8_t *code);

/* frame-*.c: the signal frame that brings a thread home, and registers for injected code. */
enum { FRAME_CONTEXT_BYTES = 304, FRAME_FP_ALIGN = 64, FRAME_LINK_AT = 8 /* unused */ };
void frame_context(const struct user_regs_struct *home, uint64_t mask, uint64_t fp, void *ret);
/* Room: xstate_len + 64 bytes. Yields how many bytes it takes. */
uint32_t frame_fp(const void *xstate, uint32_t xstate_len, void *ret);
/* How many bytes it will take. */
uint32_t frame_fp_len(const void *xstate, uint32_t xstate_len);
/* In place of `r`: a system call by the instruction at ip; a jump to code with two arguments. */
void frame_call(struct user_regs_struct *r, uint64_t ip, uint64_t sp, long call,
		const uint64_t a[6]);
void frame_jump(struct user_regs_struct *r, uint64_t ip, uint64_t sp, uint64_t a0, uint64_t a1);
/* In place of `r`: the code that runs the list of calls at `list` (gadget-*.c). */
void frame_list(struct user_regs_struct *r, uint64_t ip, uint64_t sp, uint64_t list);
