/*
 * Restartable sequences: the registration of each thread, and one thread that spends its whole life
 * inside a critical section. Whenever it leaves the section regularly, rseq_cs must still point to
 * the descriptor: it would be zero if the thread had been continued in the middle without the
 * kernel's knowledge.
 */
/* harness: busy */
#include "test.h"

#include <sys/rseq.h>
#include <sys/syscall.h>

static struct rseq *area(void)
{
	return (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void check_registration(void)
{
	/* The same again is refused as busy; other values would give EINVAL or EPERM, no
	 * registration success. */
	check(syscall(SYS_rseq, area(), 32, 0, RSEQ_SIG) < 0 && errno == EBUSY);
	check((int)area()->cpu_id >= 0);
}

/* One pass: arms the section, stays in it until *flag, gives rseq_cs as seen at its end. Restarts
 * when aborted. */
static uint64_t section(volatile uint32_t *flag)
{
	struct rseq *rs = area();
	uint64_t seen;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n\t .balign 32\n"
			 "3: .long 0, 0\n\t .quad 1f, 2f - 1f, 4f\n\t .popsection\n\t"
			 "jmp 5f\n\t"
			 ".byte 0x0f, 0xb9, 0x3d\n\t .long %c[sig]\n"
			 "4: nop\n"
			 "5: lea 3b(%%rip), %%rax\n\t mov %%rax, 8(%[rs])\n"
			 "1: cmpl $0, (%[flag])\n\t je 1b\n\t mov 8(%[rs]), %[seen]\n"
			 "2:\n\t"
			 : [seen] "=&r"(seen)
			 : [rs] "r"(rs), [flag] "r"(flag), [sig] "i"(RSEQ_SIG)
			 : "rax", "memory", "cc");
	return seen;
}

static uint32_t *flag;

static void spinner(void *arg)
{
	(void)arg;
	checkpoint_arrive();
	check(section(flag) != 0);
	check_registration();
}

static void sleeper(void *arg)
{
	(void)arg;
	check_registration();
	checkpoint_wait();
	check_registration();
}

int main(void)
{
	if (!__rseq_size)
		skip("libc did not register rseq");
	check_registration();
	flag = shared_alloc(4096);
	thread_run(sleeper, NULL);
	thread_run(spinner, NULL);
	checkpoint();
	event_add(flag);
	check_registration();
	return test_end();
}
