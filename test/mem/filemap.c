/*
 * Mapped files: private with and without modified pages, shared, opened read-only (so that it can
 * never be made writable), at an offset, beyond the end of the file, and a file that has no name
 * any more.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, LEN = 16 * PAGE };

static int make_file(const char *name, uint64_t seed)
{
	static char buf[LEN];
	int fd = must(open(name, O_CREAT | O_RDWR, 0600));

	pattern_fill(buf, LEN, seed);
	must_true(write(fd, buf, LEN) == LEN);
	return fd;
}

static char *map(int fd, int prot, int flags, off_t offset, size_t len)
{
	return must_ptr(mmap(NULL, len, prot, flags, fd, offset));
}

int main(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	char *private, *modified, *shared, *readonly, *deleted, *deleted_shared, *tail, byte;
	int fd = make_file("file", 1), gone = make_file("gone", 2),
	    ro = must(open("file", O_RDONLY));

	private = map(fd, rw, MAP_PRIVATE, 0, LEN);
	modified = map(fd, rw, MAP_PRIVATE, PAGE, LEN - PAGE);
	pattern_fill(modified + PAGE, PAGE, 5);
	shared = map(fd, rw, MAP_SHARED, 4 * PAGE, PAGE);
	readonly = map(ro, PROT_READ, MAP_SHARED, 0, PAGE);
	tail = map(fd, rw, MAP_PRIVATE, LEN - PAGE, 8 * PAGE);
	deleted = map(gone, rw, MAP_PRIVATE, 0, LEN);
	pattern_fill(deleted, 10, 6);
	deleted_shared = map(gone, rw, MAP_SHARED, 0, LEN);
	must(close(fd) | close(ro) | close(gone) | unlink("gone"));
	checkpoint();
	check(pattern_ok(private, LEN, 1));
	check(pattern_ok(modified + PAGE, PAGE, 5) && !pattern_ok(modified + 2 * PAGE, PAGE, 5));
	check(mprotect(readonly, PAGE, rw) < 0 && errno == EACCES);
	pattern_fill(shared, 50, 7);
	fd = open("file", O_RDONLY);
	check(pread(fd, &byte, 1, 4 * PAGE) == 1 && byte == shared[0]);
	check(!memcmp(tail, private + LEN - PAGE, PAGE));
	check(pattern_ok(deleted, 10, 6) && pattern_ok(deleted_shared, LEN, 2));
	pattern_fill(deleted_shared + PAGE, 10, 8);
	check(pattern_ok(deleted + PAGE, 10, 8), "private and shared mapping are of two files");
	return test_end();
}
