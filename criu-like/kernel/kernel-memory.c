/*
 * A program of type SYSCALL copies memory of the kernel into a map that we have mapped; iterators
 * over unix sockets and tasks write their addresses. Reads of addresses that are not there fail,
 * they do no harm. bpf(2) takes the programs as arrays of instructions; no library and no compiler
 * is needed.
 */
#include "kernel/kernel-memory.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/descriptor.h"

enum { PAGE_BYTES = 4096, BLOCK_BYTES = 32 << 10 };

#define INSN(op, dst, src, offset, number)                                                         \
	((struct bpf_insn){                                                                        \
		.code = (op),                                                                      \
		.dst_reg = (dst),                                                                  \
		.src_reg = (src),                                                                  \
		.off = (offset),                                                                   \
		.imm = (number) })
#define LOAD(dst, src, offset) INSN(BPF_LDX | BPF_DW | BPF_MEM, dst, src, offset, 0)
#define MOVE(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, number) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, number)
#define ADD(dst, number) INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, number)
#define CALL(function) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define SKIP_IF_ZERO(dst, n) INSN(BPF_JMP | BPF_JEQ | BPF_K, dst, 0, n, 0)
#define RETURN INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static long bpf(int command, union bpf_attr *a)
{
	return sys(SYS_bpf, command, a, sizeof(*a));
}

/* Context: address, length. Copies into the first page of the map. */
static int load_reader(int map)
{
	const struct bpf_insn code[] = {
		LOAD(6, 1, 0),
		LOAD(7, 1, 8),
		INSN(BPF_ST | BPF_W | BPF_MEM, 10, 0, -4, 0),
		MOVE(2, 10),
		ADD(2, -4),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		CALL(BPF_FUNC_map_lookup_elem),
		SKIP_IF_ZERO(0, 5),
		INSN(BPF_JMP | BPF_JGT | BPF_K, 7, 0, 4, PAGE_BYTES),
		MOVE(1, 0),
		MOVE(2, 7),
		MOVE(3, 6),
		CALL(BPF_FUNC_probe_read_kernel),
		INSN(BPF_JMP | BPF_JA, 0, 0, 0, 0), /* where the jumps lead */
		RETURN,
	};
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_SYSCALL,
			     .prog_flags = BPF_F_SLEEPABLE,
			     .insns = (uintptr_t)code,
			     .insn_cnt = array_size(code),
			     .license = (uintptr_t) "GPL" };

	return (int)bpf(BPF_PROG_LOAD, &a);
}

int kernel_memory_open(struct arena *arena, struct kernel_memory *ret)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY,
			     .key_size = 4,
			     .value_size = PAGE_BYTES,
			     .max_entries = 1,
			     .map_flags = BPF_F_MMAPABLE };
	_close_ int map = -1, reader = -1;
	long p;
	int r = btf_read(arena, &ret->btf);

	if (r)
		return r;
	map = (int)bpf(BPF_MAP_CREATE, &a);
	reader = map < 0 ? map : load_reader(map);
	if (reader < 0)
		return reader;
	p = sys(SYS_mmap, NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, map, 0);
	if (p < 0 && p > -4096)
		return (int)p;
	ret->window = (char *)p;
	ret->map = take_fd(&map);
	ret->reader = take_fd(&reader);
	ret->tasks = -1;
	return 0;
}

void kernel_memory_close(struct kernel_memory *k)
{
	fd_close(&k->map);
	fd_close(&k->reader);
	fd_close(&k->tasks);
	(void)sys(SYS_munmap, k->window, PAGE_BYTES); /* our own mapping */
}

int kernel_memory_read(const struct kernel_memory *k, uint64_t address, void *buf, size_t len)
{
	uint64_t context[2] = { address, len };
	union bpf_attr a = { .test = { .prog_fd = (uint32_t)k->reader,
				       .ctx_in = (uintptr_t)context,
				       .ctx_size_in = sizeof(context) } };
	long r = len > PAGE_BYTES ? -E2BIG : bpf(BPF_PROG_TEST_RUN, &a);

	if (!r)
		r = (int)a.test.retval;
	if (!r)
		memcpy(buf, k->window, len);
	return (int)r;
}

/* Of those whose context is a struct bpf_iter_meta and the object. */
static int load_iterator(const struct kernel_memory *k, const char *function)
{
	int target = btf_find(&k->btf, BTF_FUNCTION, function);
	const struct bpf_insn code[] = {
		LOAD(2, 1, 8),	    /* ctx->unix_sk, ->task; NULL at the end */
		SKIP_IF_ZERO(2, 7), /* to the end */
		LOAD(1, 1, 0),	    /* ctx->meta */
		LOAD(1, 1, 0),	    /* meta->seq */
		INSN(BPF_STX | BPF_DW | BPF_MEM, 10, 2, -8, 0),
		MOVE(2, 10),
		ADD(2, -8),
		SET(3, 8),
		CALL(BPF_FUNC_seq_write),
		SET(0, 0),
		RETURN,
	};
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_TRACING,
			     .expected_attach_type = BPF_TRACE_ITER,
			     .insns = (uintptr_t)code,
			     .insn_cnt = array_size(code),
			     .license = (uintptr_t) "GPL" };

	if (target < 0)
		return target;
	a.attach_btf_id = (uint32_t)target;
	return (int)bpf(BPF_PROG_LOAD, &a);
}

/* Over what `which` says; NULL: over all. */
static int open_iterator(int program, const union bpf_iter_link_info *which)
{
	_close_ int link = -1;
	union bpf_attr a = { .link_create = { .prog_fd = (uint32_t)program,
					      .attach_type = BPF_TRACE_ITER,
					      .iter_info = (uintptr_t)which,
					      .iter_info_len = which ? sizeof(*which) : 0 } };

	if (program < 0)
		return program;
	link = (int)bpf(BPF_LINK_CREATE, &a);
	if (link < 0)
		return link;
	a = (union bpf_attr){ .iter_create = { .link_fd = (uint32_t)link } };
	return (int)bpf(BPF_ITER_CREATE, &a);
}

int kernel_memory_unix(const struct kernel_memory *k, struct arena *a, uint64_t **ret,
		       size_t *ret_n)
{
	_close_ int program = load_iterator(k, "bpf_iter_unix");
	_close_ int fd = open_iterator(program, NULL);
	char *buf = arena_alloc(a, BLOCK_BYTES);
	size_t n = 0;
	long got = fd;

	*ret = NULL;
	while (fd >= 0 && (got = sys_read(fd, buf, BLOCK_BYTES)) > 0) {
		*ret = arena_grow(a, *ret, n, n + (size_t)got);
		memcpy((char *)*ret + n, buf, (size_t)got);
		n += (size_t)got;
	}
	*ret_n = n / sizeof(**ret);
	return got < 0 ? (int)got : 0;
}

int kernel_memory_task(struct kernel_memory *k, pid_t tid, uint64_t *ret)
{
	const union bpf_iter_link_info one = { .task = { .tid = (uint32_t)tid } };
	_close_ int fd = -1;
	uint64_t found[2];
	long got;

	if (k->tasks < 0)
		k->tasks = load_iterator(k, "bpf_iter_task");
	fd = open_iterator(k->tasks, &one);
	got = fd < 0 ? fd : sys_read(fd, found, sizeof(found));
	if (got < 0)
		return (int)got;
	if (got != sizeof(found[0]))
		return got ? -EOPNOTSUPP : -ESRCH;
	*ret = found[0];
	return 0;
}
