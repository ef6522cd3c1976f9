/*
 * Processes (not threads) that share memory, handlers, directories and descriptors in several
 * combinations: what one changes afterwards, the other sees.
 */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { STACK = 65536 };

static uint32_t *word;
static int shared_value;

static void handler(int sig)
{
	(void)sig;
}

static bool handles(int sig)
{
	struct sigaction sa;

	must(sigaction(sig, NULL, &sa));
	return sa.sa_handler == handler;
}

/* Changes everything after the checkpoint; the maker looks at what arrived. */
static int changer(void *arg)
{
	event_add(&word[1]);
	event_wait(&word[2], 1);
	shared_value++;
	must_true(signal(SIGUSR2, handler) != SIG_ERR);
	umask(0111);
	must(dup2(2, 77));
	event_add(&word[3]);
	event_wait(&word[4], 1);
	(void)arg;
	syscall(SYS_exit, 33);
	return 0;
}

static void check_sharing(unsigned long flags)
{
	event_add(&word[2]);
	event_wait(&word[3], 1);
	check((shared_value == 1) == !!(flags & CLONE_VM), "flags %#lx", flags);
	check(handles(SIGUSR2) == !!(flags & CLONE_SIGHAND), "flags %#lx", flags);
	check((umask(022) == 0111) == !!(flags & CLONE_FS), "flags %#lx", flags);
	check((fcntl(77, F_GETFD) >= 0) == !!(flags & CLONE_FILES), "flags %#lx", flags);
	event_add(&word[4]);
}

static void run(void *arg)
{
	unsigned long flags = (unsigned long)arg;
	char *stack = must_ptr(malloc(STACK));
	int status;
	pid_t pid;

	word = shared_alloc(4096);
	pid = must(clone(changer, stack + STACK, (int)flags | SIGCHLD, NULL));
	event_wait(&word[1], 1);
	checkpoint_wait();
	check_sharing(flags);
	check(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 33, "flags %#lx %#x", flags,
	      status);
}

int main(void)
{
	static const unsigned long ways[] = {
		0, CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_VM | CLONE_SIGHAND,
		CLONE_VM | CLONE_FS | CLONE_FILES, CLONE_FS | CLONE_FILES,
		CLONE_VM | CLONE_SIGHAND | CLONE_FS | CLONE_FILES,
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		task_run(run, (void *)ways[i]);
	checkpoint();
	return test_end();
}
