/*
 * The bytes of the way home on x86-64. Our own, for the tail of the vdso: `syscall; ret`,
 * `mov $11, %eax; syscall; ret` (munmap: its two arguments survive mmap in rdi and rsi) and
 * `mov $15, %eax; syscall` (rt_sigreturn). And the forms in which glibc and Go contain them, for
 * tasks without a vdso.
 *
 * Behind them what runs a list of calls, at rbx: 0: mov (%rbx), %rax; mov 8(%rbx), %rdi;
 * mov 16(%rbx), %rsi; mov 24(%rbx), %rdx; mov 32(%rbx), %r10; mov 40(%rbx), %r8;
 * mov 48(%rbx), %r9; syscall; mov %rax, (%rbx); add $56, %rbx; jmp 0b. The last call does not
 * return.
 */
#include <string.h>

#include "core/stop/gadget.h"

const uint8_t gadget_tail[GADGET_TAIL_BYTES] = {
	[GADGET_CALL_AT] = 0x0f,
	0x05,
	0xc3,
	[GADGET_UNMAP_AT] = 0xb8,
	0x0b,
	0x00,
	0x00,
	0x00,
	0x0f,
	0x05,
	0xc3,
	[GADGET_RESTORE_AT] = 0xb8,
	0x0f,
	0x00,
	0x00,
	0x00,
	0x0f,
	0x05,
	/* clang-format off */
	[GADGET_LIST_AT] =
	0x48, 0x8b, 0x03,
	0x48, 0x8b, 0x7b, 0x08,
	0x48, 0x8b, 0x73, 0x10,
	0x48, 0x8b, 0x53, 0x18,
	0x4c, 0x8b, 0x53, 0x20,
	0x4c, 0x8b, 0x43, 0x28,
	0x4c, 0x8b, 0x4b, 0x30,
	0x0f, 0x05,
	0x48, 0x89, 0x03,
	0x48, 0x83, 0xc3, 0x38,
	0xeb, 0xda,
	/* clang-format on */
};

static const uint8_t call[] = { 0x0f, 0x05, 0xc3 };
static const uint8_t restore[] = { 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05 };
static const uint8_t unmap[] = { 0xb8, 0x0b, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x48,
				 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73, 0x01, 0xc3 };

#define BYTES(array) ((struct span){ (const char *)(array), sizeof(array) })

/* Yields the address of the bytes in the code, or what was known before. */
static uint64_t find(struct span code, uint64_t address, struct span bytes, uint64_t known)
{
	const char *at = known ? NULL : memmem(code.p, code.len, bytes.p, bytes.len);

	return at ? address + (uint64_t)(at - code.p) : known;
}

bool gadget_search(const uint8_t *code, size_t len, uint64_t address, struct gadgets *g)
{
	const struct span text = { (const char *)code, len };

	g->call = find(text, address, BYTES(call), g->call);
	g->restore = find(text, address, BYTES(restore), g->restore);
	g->unmap = find(text, address, BYTES(unmap), g->unmap);
	g->ret = g->call ? g->call + GADGET_RET_AT : 0;
	return g->call && g->restore && g->unmap;
}
