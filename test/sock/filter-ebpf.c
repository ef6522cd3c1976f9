/* The kernel does not give an eBPF filter back. */
/* harness: net refused=eBPF */
#include <linux/bpf.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../lib/test.h"

int main(void)
{
	struct bpf_insn code[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr a = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			    .insns = (uintptr_t)code,
			    .insn_cnt = 2,
			    .license = (uintptr_t) "GPL"};
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0)), program;

	program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
	if (program < 0)
		skip("no eBPF: %s", strerror(errno));
	must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)));
	close(program);
	checkpoint();
	return test_end();
}
