/*
 * A thread that is stopped at any moment of short restartable sequences, each of which writes a
 * pair of words: a sequence that was left in the middle and went on would leave unequal ones.
 */
/* harness: busy */
#include "test.h"

#include <sys/rseq.h>
#include <sys/syscall.h>

static uint64_t pair[2] __attribute__((aligned(64)));
static uint64_t aborted;

/* Counts the first word up, dawdles, and commits the second: true. Aborted: false. */
static bool attempt(struct rseq *rs)
{
	uint64_t done = 0;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n\t .balign 32\n"
			 "3: .long 0, 0\n\t .quad 1f, 2f - 1f, 4f\n\t .popsection\n\t"
			 "lea 3b(%%rip), %%rax\n\t mov %%rax, 8(%[rs])\n"
			 "1: mov 8(%[pair]), %%rax\n\t inc %%rax\n\t mov $2000, %%ecx\n"
			 "6: dec %%ecx\n\t jnz 6b\n\t"
			 "mov %%rax, 8(%[pair])\n"
			 "2: mov %%rax, (%[pair])\n\t mov $1, %[done]\n\t jmp 5f\n\t"
			 ".byte 0x0f, 0xb9, 0x3d\n\t .long %c[sig]\n"
			 "4: xor %k[done], %k[done]\n"
			 "5:\n\t"
			 : [done] "+&r"(done)
			 : [rs] "r"(rs), [pair] "r"(pair), [sig] "i"(RSEQ_SIG)
			 : "rax", "rcx", "memory", "cc");
	return done;
}

static void spinner(void *arg)
{
	struct rseq *rs = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);

	(void)arg;
	checkpoint_arrive();
	while (!checkpoint_passed()) {
		aborted += !attempt(rs);
		if (pair[0] != pair[1])
			break;
	}
	check(pair[0] == pair[1], "%lu %lu, %lu aborted", pair[0], pair[1], aborted);
}

int main(void)
{
	if (!__rseq_size)
		skip("libc did not register rseq");
	thread_run(spinner, NULL);
	checkpoint();
	return test_end();
}
