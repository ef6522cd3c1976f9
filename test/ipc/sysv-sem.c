/*
 * System V semaphores: values, key, owner; a task of two waits for one, and the others still can
 * use all. One set was never used.
 */
/* harness: forgets */
#include "test.h"

#include <sys/sem.h>

static int id;
static uint32_t *turn;

static int change(int n, short by)
{
	return semop(id, &(struct sembuf){(unsigned short)n, by, 0}, 1);
}

static void child(void *arg)
{
	checkpoint_arrive();
	check(!change(2, -1));
	event_add(turn);
	(void)arg;
}

int main(void)
{
	key_t key = 0x70730000 + (getpid() & 0xffff);
	int unused = must(semget(IPC_PRIVATE, 2, 0600));
	unsigned short value[3] = {0};
	struct semid_ds s, after;

	turn = shared_alloc(4096);
	id = must(semget(key, 3, IPC_CREAT | IPC_EXCL | 0660));
	must(semctl(id, 0, SETVAL, 32767));
	must(change(1, 12));
	must(semctl(id, 0, IPC_STAT, &s));
	s.sem_perm.uid = 77;
	must(semctl(id, 0, IPC_SET, &s));
	task_run(child, NULL);
	checkpoint();
	check(!semctl(id, 0, IPC_STAT, &after) && after.sem_perm.uid == 77);
	check(after.sem_perm.__key == key && (after.sem_perm.mode & 0777) == 0660);
	check(!semctl(id, 0, GETALL, value) && value[0] == 32767 && value[1] == 12 && !value[2]);
	check(!change(2, 1));
	event_wait(turn, 1);
	check(!semctl(id, 0, GETALL, value) && !value[2]);
	check(semctl(unused, 1, GETVAL) == 0 && !semctl(unused, 0, IPC_RMID));
	check(!semctl(id, 0, IPC_RMID));
	return test_end();
}
