/*
 * Four threads with their own name, signal mask, alternate stack, thread-local storage and id; the
 * robust list and the cleared-at-exit address are tested by joining them afterwards.
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static __thread uint64_t local_word = 0x1122334455667788;
static __thread char local_bytes[512];

static void thread(void *arg)
{
	long i = (long)arg;
	char name[16], now[16] = "";
	stack_t stack = {.ss_size = 65536 + 4096 * i, .ss_flags = i & 1 ? (int)(1u << 31) : 0}, old;
	sigset_t mask, old_mask;
	long tid = syscall(SYS_gettid);
	pthread_t self = pthread_self();

	snprintf(name, sizeof(name), "thread-%ld", i);
	must(prctl(PR_SET_NAME, name));
	stack.ss_sp = must_ptr(malloc(stack.ss_size));
	must(sigaltstack(&stack, NULL));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1 + i % 2);
	sigaddset(&mask, 40 + i);
	sigaddset(&mask, GO_SIGNAL);
	must_true(!pthread_sigmask(SIG_SETMASK, &mask, NULL));
	local_word += i;
	pattern_fill(local_bytes, sizeof(local_bytes), i);

	checkpoint_wait();

	check(syscall(SYS_gettid) == tid && pthread_equal(self, pthread_self()));
	check(!prctl(PR_GET_NAME, now) && !strcmp(now, name), "%s", now);
	check(!sigaltstack(NULL, &old) && old.ss_sp == stack.ss_sp &&
		      old.ss_size == stack.ss_size && old.ss_flags == stack.ss_flags,
	      "sp %p size %zu flags %#x", old.ss_sp, old.ss_size, old.ss_flags);
	check(!pthread_sigmask(SIG_SETMASK, NULL, &old_mask) && !memcmp(&old_mask, &mask, 8));
	check(local_word == 0x1122334455667788 + (uint64_t)i);
	check(pattern_ok(local_bytes, sizeof(local_bytes), i));
}

int main(void)
{
	local_word = 99;
	for (long i = 0; i < 4; i++)
		thread_run(thread, (void *)i);
	checkpoint();
	check(local_word == 99);
	return test_end();
}
