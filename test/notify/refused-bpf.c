/* A program in the kernel is refused by name. */
/* harness: refused=bpf-prog */
#include "test.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

int main(void)
{
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
				  {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2,
			       .insns = (uintptr_t)code, .license = (uintptr_t)"GPL"};

	if (syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)) < 0)
		skip("no programs: %s", strerror(errno));
	checkpoint();
	return test_end();
}
