/*
 * System V shared memory in parts: protected, partly unmapped, larger than its size tells, with a
 * key and a user of its own; one that nobody has attached; one removed that somebody reads only.
 */
/* harness: forgets again=10 cycles=10 */
#include "test.h"

#include <sys/mman.h>
#include <sys/shm.h>

enum { PAGE = 4096, SIZE = 10 * PAGE + 55 };

static char *attach(int id, int flags)
{
	return must_ptr(shmat(id, NULL, flags));
}

static int make(key_t key, size_t size, int mode)
{
	return must(shmget(key, size, IPC_CREAT | IPC_EXCL | mode));
}

static bool refuses(char *p)
{
	return mprotect(p, PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EACCES;
}

int main(void)
{
	key_t key = 0x70720000 + (getpid() & 0xffff);
	int id, detached = make(IPC_PRIVATE, SIZE, 0600),
		removed = make(key ^ 0x8000000, PAGE, 0600);
	char *map, *reader, *more, *unused = attach(detached, 0);
	struct shmid_ds s, after;

	more = attach(removed, SHM_RDONLY);
	must(shmctl(removed, IPC_RMID, NULL));
	id = make(key, SIZE, 0640);
	must(shmctl(id, IPC_STAT, &s));
	s.shm_perm.uid = 1234;
	must(shmctl(id, IPC_SET, &s));
	map = attach(id, 0);
	reader = attach(id, SHM_RDONLY);
	pattern_fill(map, SIZE, 4);
	must(munmap(map + 2 * PAGE, 2 * PAGE));
	must(mprotect(map + 6 * PAGE, PAGE, PROT_READ));
	must(mprotect(reader, PAGE, PROT_NONE));
	must(munmap(reader + 10 * PAGE, PAGE));
	pattern_fill(unused, SIZE, 5);
	must(shmdt(unused));
	must(shmctl(id, IPC_STAT, &s));
	checkpoint();
	check(!shmctl(id, IPC_STAT, &after) && after.shm_segsz == SIZE);
	check(after.shm_nattch == s.shm_nattch, "%lu for %lu", after.shm_nattch, s.shm_nattch);
	check(after.shm_perm.uid == 1234 && after.shm_perm.__key == key &&
	      after.shm_perm.cuid == 0);
	check((after.shm_perm.mode & 0777) == 0640);
	check(pattern_ok(map, 2 * PAGE, 4) && refuses(reader + PAGE) && refuses(more));
	map[7 * PAGE] = 9;
	check(reader[7 * PAGE] == 9);
	check(!shmdt(map) && !shmdt(reader) && !shmctl(id, IPC_RMID, NULL));
	check(pattern_ok(attach(detached, 0), SIZE, 5));
	check(!shmctl(detached, IPC_RMID, NULL));
	return test_end();
}
