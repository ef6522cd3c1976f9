/*
 * Mapped files without a name: with removed hard links, still open as a descriptor; what is written
 * through the descriptor is seen in the shared and in the untouched private pages. Parts of one
 * mapping with protections of their own, what may be made writable, and that the times of a mapped
 * file stay.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PAGE = 4096, LEN = 8 * PAGE };

static int make(const char *name, uint64_t seed)
{
	char buf[LEN];
	int fd = must(open(name, O_CREAT | O_EXCL | O_RDWR, 0600));

	pattern_fill(buf, LEN, seed);
	must_true(write(fd, buf, LEN) == LEN);
	return fd;
}

static char *map(int fd, int prot, int flags)
{
	return must_ptr(mmap(NULL, LEN, prot, flags, fd, 0));
}

static void check_written(int fd, const char *shared, const char *private)
{
	char mark[50];

	pattern_fill(mark, 50, 77);
	check(pwrite(fd, mark, 50, 3 * PAGE) == 50);
	check(pattern_ok(shared + 3 * PAGE, 50, 77) && pattern_ok(private + 3 * PAGE, 50, 77));
}

static bool same_times(const struct stat *a, const struct stat *b)
{
	return !memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) &&
	       !memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim));
}

int main(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	int open_gone = make("gone", 1), links = make("links", 2), named = make("named", 3), ro,
	    second;
	char *gone_shared = map(open_gone, rw, MAP_SHARED),
	     *gone_private = map(open_gone, rw, MAP_PRIVATE);
	char *link_shared = map(links, rw, MAP_SHARED), *link_private, *parts, *never, *later,
	     *dirty;
	struct stat before, after;

	must(link("links", "links-b"));
	second = must(open("links-b", O_RDWR));
	link_private = map(second, rw, MAP_PRIVATE);
	must(close(links) | unlink("links") | unlink("links-b") | unlink("gone"));
	pattern_fill(gone_private, 20, 9);
	ro = must(open("named", O_RDONLY));
	parts = map(named, rw, MAP_SHARED);
	must(mprotect(parts + PAGE, PAGE, PROT_READ) | mprotect(parts + 2 * PAGE, PAGE, PROT_NONE) |
	     mprotect(parts + 3 * PAGE, PAGE, PROT_READ | PROT_EXEC));
	later = map(named, PROT_READ, MAP_SHARED);
	never = map(ro, PROT_READ, MAP_SHARED);
	dirty = map(ro, rw, MAP_PRIVATE);
	pattern_fill(dirty + PAGE, PAGE, 10);
	must(close(ro));
	must(fstat(named, &before));
	checkpoint();
	check(!fstat(named, &after) && same_times(&before, &after), "the times changed");
	check_written(open_gone, gone_shared, gone_private);
	check(pattern_ok(gone_private, 20, 9) && !pattern_ok(gone_shared, 20, 9));
	check_written(second, link_shared, link_private);
	check(!fstat(second, &after) && after.st_nlink == 0 && access("links", F_OK) < 0);
	check(!mprotect(parts, LEN, rw) && !mprotect(later, PAGE, rw));
	check(mprotect(never, PAGE, rw) < 0 && errno == EACCES);
	check(pattern_ok(dirty + PAGE, PAGE, 10) &&
	      !memcmp(dirty + 2 * PAGE, parts + 2 * PAGE, PAGE));
	check(pread(named, &(char){0}, 1, 0) == 1);
	return test_end();
}
