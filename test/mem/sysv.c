/*
 * System V shared memory: attached twice in one task and once in another, one segment removed while
 * attached. The attach count is the kernel's.
 */
/* harness: again=10 cycles=10 */
#include "test.h"

#include <sys/shm.h>

enum { LEN = 40960 };

static char *attach(int id, int flags)
{
	return must_ptr(shmat(id, NULL, flags));
}

static uint32_t *turn;

static void child(void *arg)
{
	checkpoint_wait();
	check(pattern_ok(arg, LEN, 1));
	event_add(turn);
	check(!shmdt(arg));
}

int main(void)
{
	int id = must(shmget(IPC_PRIVATE, LEN, IPC_CREAT | 0600));
	int gone = must(shmget(IPC_PRIVATE, LEN, IPC_CREAT | 0600));
	char *a = attach(id, 0), *b = attach(id, SHM_RDONLY), *removed = attach(gone, 0);
	struct shmid_ds after;

	turn = shared_alloc(4096);
	pattern_fill(a, LEN, 1);
	pattern_fill(removed, LEN, 2);
	must(shmctl(gone, IPC_RMID, NULL));
	task_run(child, a);
	checkpoint();
	check(!shmctl(id, IPC_STAT, &after) && after.shm_segsz == LEN);
	check(pattern_ok(b, LEN, 1) && pattern_ok(removed, LEN, 2));
	event_wait(turn, 1);
	pattern_fill(a, 100, 3);
	check(pattern_ok(b, 100, 3));
	check(!shmctl(id, IPC_RMID, NULL));
	return test_end();
}
