/*
 * The bytes of the way home on x86-64. Our own, for the tail of the vdso: `syscall; ret`,
 * `mov $11, %eax; syscall; ret` (munmap: its two arguments survive mmap in rdi and rsi) and
 * `mov $15, %eax; syscall` (rt_sigreturn). And the forms in which glibc and Go contain them, for
 * tasks without a vdso.
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
