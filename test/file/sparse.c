/*
 * Sparse files without a name: one gigabyte of hole with a little data, and data and holes in turn.
 * Holes stay where they were and take no blocks.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { BLOCK = 4096, STEPS = 128 };
static const off_t huge = 1l << 30;

static int make(const char *name)
{
	int fd = must(open(name, O_CREAT | O_EXCL | O_RDWR, 0600));

	must(unlink(name));
	return fd;
}

static void put(int fd, off_t at, uint64_t seed)
{
	char buf[BLOCK];

	pattern_fill(buf, BLOCK, seed);
	must_true(pwrite(fd, buf, BLOCK, at) == BLOCK);
}

static void check_block(int fd, off_t at, uint64_t seed)
{
	char buf[BLOCK] = {0};

	check(pread(fd, buf, BLOCK, at) == BLOCK && pattern_ok(buf, BLOCK, seed), "at %ld", at);
}

int main(void)
{
	int big = make("big"), turns = make("turns"), empty = make("empty");
	struct stat before[2], st;

	must(ftruncate(big, huge));
	must(ftruncate(empty, huge));
	put(big, 0, 1);
	put(big, huge / 2, 2);
	must(ftruncate(turns, 2l * STEPS * BLOCK));
	for (off_t i = 0; i < STEPS; i++)
		put(turns, i * 2 * BLOCK, (uint64_t)i);
	must(fsync(big) | fsync(turns));
	must(fstat(big, &before[0]) | fstat(turns, &before[1]));
	checkpoint();
	must(fsync(big) | fsync(turns)); /* blocks count when they are allocated */
	check(!fstat(big, &st) && st.st_size == huge && st.st_blocks == before[0].st_blocks,
	      "%ld blocks, were %ld", st.st_blocks, before[0].st_blocks);
	check(!fstat(turns, &st) && st.st_blocks == before[1].st_blocks, "%ld blocks, were %ld",
	      st.st_blocks, before[1].st_blocks);
	check_block(big, 0, 1);
	check_block(big, huge / 2, 2);
	check(lseek(big, 1, SEEK_HOLE) == BLOCK && lseek(big, BLOCK, SEEK_DATA) == huge / 2 &&
	      lseek(big, huge / 2, SEEK_HOLE) == huge / 2 + BLOCK);
	for (off_t i = 0; i < STEPS; i++) {
		check_block(turns, i * 2 * BLOCK, (uint64_t)i);
		check(lseek(turns, i * 2 * BLOCK, SEEK_HOLE) == (i * 2 + 1) * BLOCK, "%ld", i);
	}
	check(lseek(empty, 0, SEEK_END) == huge && lseek(empty, 0, SEEK_DATA) < 0);
	return test_end();
}
