/*
 * More of stopped tasks: with several threads, with a second stop sent to one thread, with a
 * blocked SIGTSTP that waits, a stop that the parent has collected already, and one that is stopped
 * inside a sleep. All go on with one SIGCONT.
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { THREADS, TWICE, BLOCKED, COLLECTED, COUNT };

static uint32_t *ready, *word;

static void *sleeper(void *arg)
{
	(void)arg;
	event_add(ready);
	event_wait(word, 1);
	return NULL;
}

static _Noreturn void child(int way)
{
	pthread_t thread[3];
	sigset_t tstp;

	must(setpgid(0, 0));
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	if (way == BLOCKED)
		must_true(!pthread_sigmask(SIG_BLOCK, &tstp, NULL));
	for (int i = 0; i < 3; i++)
		must_true(!pthread_create(&thread[i], NULL, sleeper, NULL));
	if (way == BLOCKED)
		must(kill(getpid(), SIGTSTP));
	event_add(ready);
	event_wait(word, 1);
	for (int i = 0; i < 3; i++)
		check(!pthread_join(thread[i], NULL));
	if (way == BLOCKED) {
		siginfo_t info;

		/* SIGCONT has dropped it; a new one must still be possible. */
		check(sigtimedwait(&tstp, &info, &(struct timespec){ 0, 0 }) < 0);
	}
	_exit(test_end());
}

int main(void)
{
	pid_t pid[COUNT];
	siginfo_t info;
	int status;

	ready = shared_alloc(4096);
	word = shared_alloc(4096);
	for (int i = 0; i < COUNT; i++) {
		pid[i] = must(fork());
		if (!pid[i])
			child(i);
	}
	event_wait(ready, 4 * COUNT);
	for (int i = 0; i < COUNT; i++) {
		must(kill(pid[i], SIGSTOP));
		must(waitid(P_PID, pid[i], &info, WSTOPPED | WNOWAIT));
	}
	must(tgkill(pid[TWICE], pid[TWICE], SIGSTOP));
	must(waitpid(pid[COLLECTED], &status, WUNTRACED));
	checkpoint();
	event_add(word);
	for (int i = 0; i < COUNT; i++) {
		check(waitpid(pid[i], &status, WNOHANG) == 0);
		check(!kill(pid[i], SIGCONT));
		check(waitpid(pid[i], &status, 0) == pid[i] && status == 0, "task %d ends with %#x",
		      i, status);
	}
	return test_end();
}
