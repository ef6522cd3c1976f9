/*
 * Shared anonymous memory alone: an object whose other user has exited, one with holes and moved
 * parts in the child, one far larger than what is written to, one whose end nobody maps any
 * more, and a private mapping of one through map_files.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { PAGE = 4096, LEN = 64 * PAGE };

static char *both, *orphan, *sparse, *private;
static const size_t sparse_len = 1ul << 30;
static uint32_t *turn;

static char *map_private(char *of)
{
	char path[80];
	int fd;
	char *p;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (long)of, (long)of + LEN);
	fd = must(open(path, O_RDWR));
	p = must_ptr(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	must(close(fd));
	return p;
}

static void child(void *arg)
{
	char *moved;

	(void)arg;
	must(munmap(both + 8 * PAGE, 8 * PAGE));
	moved = must_ptr(mremap(both + 32 * PAGE, 32 * PAGE, 32 * PAGE, MREMAP_MAYMOVE));
	checkpoint_wait();
	check(pattern_ok(both, 8 * PAGE, 1));
	pattern_fill(moved, 100, 77);
	sparse[sparse_len - 1] = 5;
	event_add(turn);
}

int main(void)
{
	pid_t pid;

	turn = shared_alloc(PAGE);
	both = shared_alloc(LEN);
	orphan = shared_alloc(LEN);
	sparse = shared_alloc(sparse_len);
	pattern_fill(both, LEN, 1);
	pattern_fill(sparse + sparse_len / 2, PAGE, 2);
	private = map_private(both);
	pattern_fill(private, PAGE, 4);
	pid = must(fork());
	if (!pid) {
		pattern_fill(orphan, LEN, 3);
		_exit(0);
	}
	must(waitpid(pid, NULL, 0));
	must(munmap(orphan + LEN / 2, LEN / 2));
	task_run(child, NULL);

	checkpoint();
	event_wait(turn, 1);
	check(pattern_ok(both + 32 * PAGE, 100, 77), "the child's write is not seen");
	check(pattern_ok(private + 32 * PAGE, 100, 77), "nor in the private mapping");
	check(pattern_ok(private, PAGE, 4) && pattern_ok(both, PAGE, 1), "private pages");
	check(pattern_ok(sparse + sparse_len / 2, PAGE, 2) && sparse[sparse_len - 1] == 5);
	check(pattern_ok(orphan, LEN / 2, 3));
	orphan = must_ptr(mremap(orphan, LEN / 2, LEN, MREMAP_MAYMOVE));
	check(pattern_ok(orphan, LEN, 3), "the end that nobody mapped");
	return test_end();
}
