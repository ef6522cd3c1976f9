/*
 * A System V semaphore that the end of the task will give back: nothing tells how much.
 */
/* harness: refused=SEM_UNDO */
#include "test.h"

#include <sys/sem.h>

int main(void)
{
	int id = must(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));

	must(semctl(id, 0, SETVAL, 5));
	must(semop(id, &(struct sembuf){0, -2, SEM_UNDO}, 1));
	checkpoint();
	check(semctl(id, 0, GETVAL) == 3 && !semctl(id, 0, IPC_RMID));
	return test_end();
}
