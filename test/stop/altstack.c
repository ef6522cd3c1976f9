/*
 * Threads stopped in a handler that runs on the alternate stack: the kernel still knows that they
 * are on it, and the handler returns to where it came from.
 */
#include "test.h"

#include <signal.h>

enum { BYTES = 128 * 1024 };

static __thread int came;

static void handler(int sig)
{
	char here[256];
	stack_t now, other = { .ss_sp = here, .ss_size = BYTES };

	pattern_fill(here, sizeof(here), (uint64_t)sig);
	checkpoint_wait();
	check(!sigaltstack(NULL, &now) && now.ss_flags & SS_ONSTACK, "flags %#x", now.ss_flags);
	check((char *)now.ss_sp < here && here < (char *)now.ss_sp + now.ss_size);
	check(sigaltstack(&other, NULL) < 0 && errno == EPERM);
	check(pattern_ok(here, sizeof(here), (uint64_t)sig));
	came++;
}

static void run(void *arg)
{
	stack_t stack = { .ss_sp = must_ptr(malloc(BYTES)), .ss_size = BYTES }, now;
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	volatile uint64_t local = 0x55aa55aa;

	(void)arg;
	must(sigaltstack(&stack, NULL));
	must(sigaction(SIGUSR1, &sa, NULL));
	must(raise(SIGUSR1));
	check(came == 1 && local == 0x55aa55aa);
	check(!sigaltstack(NULL, &now) && !now.ss_flags && now.ss_sp == stack.ss_sp);
}

int main(void)
{
	task_run(run, NULL);
	thread_run(run, NULL);
	checkpoint();
	return test_end();
}
