/* What x86 has alone: faulting CPUID where the processor can, the time stamp counter switched off.
 */
#include "test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { GET_CPUID = 0x1011, SET_CPUID = 0x1012 };

static void without_cpuid(void *arg)
{
	(void)arg;
#ifdef __x86_64__
	bool can = !syscall(SYS_arch_prctl, SET_CPUID, 0);

	checkpoint_wait();
	check(syscall(SYS_arch_prctl, GET_CPUID, 0) == (can ? 0 : 1));
#else
	checkpoint_wait();
#endif
}

static void without_tsc(void *arg)
{
	int tsc = 0;

	(void)arg;
	must(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	checkpoint_wait();
	check(!prctl(PR_GET_TSC, &tsc) && tsc == PR_TSC_SIGSEGV);
}

int main(void)
{
	thread_run(without_cpuid, NULL);
	thread_run(without_tsc, NULL);
	checkpoint();
	return test_end();
}
