/*
 * A program that never sleeps and makes no system call: all its state is in registers, and it may
 * be stopped at any instruction of the loop. The invariant between two registers breaks if one of
 * them is off by a single step. Linked statically: no loader, no shared libraries.
 */
/* harness: spins */
#include "test.h"

#include <signal.h>
#include <sys/prctl.h>

int main(void)
{
	register uint64_t a = 0, b = 7;
	sigset_t go;

	sigemptyset(&go);
	sigaddset(&go, GO_SIGNAL);
	must(prctl(PR_SET_NAME, "spinning"));
	must(sigprocmask(SIG_UNBLOCK, &go, NULL));
	while (!checkpoint_passed()) {
		__asm__ volatile("inc %0\n\tadd $3, %1" : "+r"(a), "+r"(b));
		if (b != 3 * a + 7)
			break;
	}
	check(b == 3 * a + 7, "a %#lx b %#lx", a, b);
	return test_end();
}
