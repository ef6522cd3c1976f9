/*
 * Registers of an interrupted call on x86-64. The kernel puts the number into orig_rax (-1: in no
 * call) and the result into rax; `syscall` and `int 0x80` are two bytes long, so going back two
 * bytes with the number in rax makes the call again. rcx and r11 are clobbered by every call
 * anyway.
 */
#include <string.h>
#include <sys/syscall.h>

#include "core/stop/regs.h"

enum { CODE_SEGMENT_64 = 0x33 };

bool regs_native(const struct user_regs_struct *r, int len_bytes)
{
	return len_bytes == (int)sizeof(*r) && r->cs == CODE_SEGMENT_64;
}

int64_t regs_call(const struct user_regs_struct *r)
{
	return (int64_t)r->orig_rax;
}

int64_t regs_result(const struct user_regs_struct *r)
{
	return (int64_t)r->rax;
}

uint64_t regs_arg(const struct user_regs_struct *r, int i)
{
	const uint64_t arg[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	return arg[i];
}

void regs_set_result(struct user_regs_struct *r, int64_t result)
{
	r->rax = (uint64_t)result;
	r->orig_rax = (uint64_t)-1;
}

void regs_set_restart(struct user_regs_struct *r, int64_t code)
{
	r->rax = (uint64_t)-code;
}

void regs_rewind(struct user_regs_struct *r, int64_t call)
{
	r->rip -= 2;
	regs_set_result(r, call);
}

uint64_t regs_ip(const struct user_regs_struct *r)
{
	return r->rip;
}

uint64_t regs_sp(const struct user_regs_struct *r)
{
	return r->rsp;
}

void regs_set_ip(struct user_regs_struct *r, uint64_t ip)
{
	r->rip = ip;
}

/*
 * Measured on 6.18. Reads and receives are here for sockets with a receive timeout. connect and
 * close are not: they are not the same call when made again.
 */
bool restart_fails_when_stopped(int64_t call)
{
	static const int16_t list[] = {
		SYS_epoll_wait,	     SYS_epoll_pwait,	441 /* epoll_pwait2 */,
		SYS_rt_sigtimedwait, SYS_semop,		SYS_semtimedop,
		SYS_io_getevents,    SYS_io_pgetevents, 426 /* io_uring_enter */,
		SYS_recvfrom,	     SYS_recvmsg,	SYS_recvmmsg,
		SYS_accept,	     SYS_accept4,	SYS_read,
		SYS_readv,	     SYS_sendto,	SYS_sendmsg,
		SYS_write,	     SYS_writev,
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == call)
			return true;
	return false;
}

/* mov $number, %eax; syscall (glibc, musl), or mov $number, %rax (hand-written). */
int64_t restart_call_in_code(const uint8_t *code)
{
	const uint8_t *call = code + RESTART_CODE_BYTES - 2;
	int32_t number;

	if (call[0] != 0x0f || call[1] != 0x05)
		return -1;
	if (call[-5] != 0xb8 && !(call[-7] == 0x48 && call[-6] == 0xc7 && call[-5] == 0xc0))
		return -1;
	memcpy(&number, call - 4, sizeof(number));
	return number;
}
