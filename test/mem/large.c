/*
 * More memory than one copies alone: two take part in saving it and in reading it. Runs of
 * different lengths with holes between them, so that the border between the two lies within one; a
 * child that has written some of its parent's and has runs of its own; a range with huge pages.
 */
#include "test.h"

#include <sys/mman.h>

static const size_t page = 4096, len = 36 << 20, piece = 5 << 20, hole = 64 << 10,
		    huge_len = 2 << 20, few = 4 << 20;

static uint64_t value(size_t at, uint64_t seed)
{
	return at % piece < hole ? 0 : (at + seed) * 0x9e3779b97f4a7c15ULL;
}

static uint64_t *word(char *p, size_t at)
{
	return (uint64_t *)(p + at + at / page * 8 % page);
}

static void fill(char *p, size_t from, size_t to, uint64_t seed)
{
	for (size_t at = from; at < to; at += page)
		if (value(at, seed))
			*word(p, at) = value(at, seed);
}

static void check_part(char *p, size_t from, size_t to, uint64_t seed)
{
	size_t wrong = 0;

	for (size_t at = from; at < to; at += page)
		wrong += *word(p, at) != value(at, seed);
	check(!wrong, "%zu wrong pages", wrong);
}

static char *map(size_t n)
{
	return must_ptr(
		mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void child(void *arg)
{
	char *common = arg, *own = map(few);

	fill(common, few / 2, few, 2);
	fill(own, 0, few, 3);
	checkpoint_wait();
	check_part(common, 0, few / 2, 1);
	check_part(common, few / 2, few, 2);
	check_part(own, 0, few, 3);
}

int main(void)
{
	char *common = map(few), *p, *huge;
	size_t skip;

	fill(common, 0, few, 1);
	task_run(child, common);
	p = map(len);
	fill(p, 0, len, 5);
	huge = map(3 * huge_len);
	skip = -(uintptr_t)huge % huge_len;
	must_true(!madvise(huge + skip, 2 * huge_len, MADV_HUGEPAGE) || errno == EINVAL);
	fill(huge, skip, skip + 2 * huge_len, 4);
	checkpoint();
	check_part(common, 0, few, 1);
	check_part(p, 0, len, 5);
	check_part(huge, skip, skip + 2 * huge_len, 4);
	return test_end();
}
