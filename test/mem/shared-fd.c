/*
 * Descriptors of shared anonymous memory, opened through map_files: the area is gone, or it is
 * mapped privately at another offset.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, LEN = 8 * PAGE };

static int open_area(char **ret_map, uint64_t seed)
{
	char path[80], *p = must_ptr(mmap(NULL, LEN, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	pattern_fill(p, LEN, seed);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (long)p, (long)(p + LEN));
	*ret_map = p;
	return must(open(path, O_RDWR));
}

int main(void)
{
	char *gone, *area, *private, *again;
	int fd = open_area(&gone, 1), other = open_area(&area, 2);

	must(munmap(gone, LEN));
	must(munmap(area, LEN));
	private = must_ptr(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, other,
				2 * PAGE));
	pattern_fill(private, PAGE, 3);
	checkpoint();
	again = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(again != MAP_FAILED && pattern_ok(again, LEN, 1));
	area = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	check(area != MAP_FAILED && pattern_ok(area, LEN, 2));
	check(pattern_ok(private, PAGE, 3) && !memcmp(private + PAGE, area + 3 * PAGE, 3 * PAGE));
	return test_end();
}
