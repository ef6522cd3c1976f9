/*
 * What the end of a process undoes in System V semaphores: two processes took from and gave to
 * several sets, up to the highest values; one is killed and one exits, and everything is back.
 */
/* harness: forgets */
#include "test.h"

#include <signal.h>
#include <sys/sem.h>
#include <sys/wait.h>

enum { SETS = 3, N = 4 };

static int set[SETS];
static uint32_t *turn; /* 1: kill, 2: killed, 3: exit */

static void change(int i, int n, int by, int flags)
{
	must(semop(set[i], &(struct sembuf){(unsigned short)n, (short)by, (short)flags}, 1));
}

/* Adjustments of set 0: +5, -7; of set 2: -32767 with the value at the top, and +32767 at 0. */
static void killed(void)
{
	change(0, 0, -5, SEM_UNDO);
	change(0, 1, 7, SEM_UNDO);
	change(2, 0, 32767, SEM_UNDO);
	change(2, 1, -32767, SEM_UNDO);
	checkpoint_arrive();
	for (;;)
		pause();
}

static void kills(void *arg)
{
	pid_t pid = task_fork();
	int status = 0;

	if (!pid)
		killed();
	checkpoint_arrive();
	event_wait(turn, 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	event_add(turn);
	_exit(status != SIGKILL);
	(void)arg;
}

/* Threads undo when the last one has ended. */
static void thread(void *arg)
{
	change(0, 3, 1, SEM_UNDO);
	checkpoint_wait();
	(void)arg;
}

/* Adjustments of the same semaphore in the middle: 30000 do not fit in one step either way. */
static void exits(void *arg)
{
	thread_run(thread, NULL);
	change(0, 0, 2, SEM_UNDO);
	change(1, 3, -30000, SEM_UNDO);
	change(1, 3, 16000, 0);
	change(1, 2, 30000, SEM_UNDO);
	change(1, 2, -14000, 0);
	change(1, 0, 1, SEM_UNDO);
	change(1, 0, -1, SEM_UNDO);
	checkpoint_arrive();
	event_wait(turn, 3);
	(void)arg;
}

static void check_values(int i, int a, int b, int c, int d)
{
	unsigned short v[N];

	check(!semctl(set[i], 0, GETALL, v));
	check(v[0] == a && v[1] == b && v[2] == c && v[3] == d, "set %d: %u %u %u %u", i, v[0],
	      v[1], v[2], v[3]);
}

int main(void)
{
	const unsigned short start[SETS][N] = { { 20, 20, 20, 20 },
						{ 0, 0, 0, 30000 },
						{ 0, 32767, 9, 9 } };
	pid_t child;

	turn = shared_alloc(4096);
	for (int i = 0; i < SETS; i++) {
		set[i] = must(semget(IPC_PRIVATE, N, IPC_CREAT | 0600));
		must(semctl(set[i], 0, SETALL, start[i]));
	}
	change(0, 2, -3, SEM_UNDO);
	task_run(kills, NULL);
	child = task_run(exits, NULL);
	checkpoint();
	check_values(0, 17, 27, 17, 21);
	check_values(1, 0, 0, 16000, 16000);
	check_values(2, 32767, 0, 9, 9);
	event_add(turn);
	event_wait(turn, 2);
	check_values(0, 22, 20, 17, 21);
	check_values(2, 0, 32767, 9, 9);
	event_add(turn);
	check(!waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT));
	check_values(0, 20, 20, 17, 20);
	check_values(1, 0, 0, 0, 32767);
	for (int i = 0; i < SETS; i++)
		check(!semctl(set[i], 0, IPC_RMID));
	return test_end();
}
