/*
 * Pages of the huge page pool, where the machine has some: private ones that parent and child
 * changed differently, shared ones, a memfd and a System V segment of them.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/shm.h>

enum { LEN = 2 << 20 };

static char *private, *shared, *file, *segment;
static uint32_t *turn;

static char *map_pool(int flags, size_t n)
{
	char *p = mmap(NULL, n * LEN, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_HUGETLB,
		       -1, 0);

	if (p == MAP_FAILED)
		skip("no huge pages in the pool");
	return p;
}

static void child(void *arg)
{
	pattern_fill(private, 1000, 9);
	checkpoint_wait();
	check(pattern_ok(private, 1000, 9) && pattern_ok(private + LEN, LEN - 1000, 1));
	check(pattern_ok(shared + LEN, LEN - 100, 2) && pattern_ok(segment, LEN - 100, 4));
	shared[5] = file[5] = segment[5] = 'c';
	event_add(turn);
	(void)arg;
}

int main(void)
{
	int fd, id;

	turn = shared_alloc(4096);
	private = map_pool(MAP_PRIVATE, 2);
	shared = map_pool(MAP_SHARED, 2);
	fd = must(memfd_create("huge", MFD_HUGETLB));
	must(ftruncate(fd, LEN));
	file = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	id = shmget(IPC_PRIVATE, LEN, IPC_CREAT | SHM_HUGETLB | 0600);
	if (file == MAP_FAILED || id < 0)
		skip("too few huge pages in the pool");
	segment = must_ptr(shmat(id, NULL, 0));
	must(shmctl(id, IPC_RMID, NULL));
	pattern_fill(private, 2 * LEN, 7);
	pattern_fill(private + LEN, LEN - 1000, 1);
	pattern_fill(shared + LEN, LEN - 100, 2);
	pattern_fill(file + 100, LEN - 200, 3);
	pattern_fill(segment, LEN - 100, 4);
	task_run(child, NULL);
	checkpoint();
	check(pattern_ok(private + LEN, LEN - 1000, 1) && !pattern_ok(private, 1000, 9));
	event_wait(turn, 1);
	check(shared[5] == 'c' && file[5] == 'c' && segment[5] == 'c');
	check(pattern_ok(file + 100, LEN - 200, 3) && pread(fd, turn, 4, LEN - 4096) == 4);
	return test_end();
}
