/*
 * Guard pages in anonymous memory and in a private mapping of a file, their neighbours' content,
 * and the state in which mappings to come are locked.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, LEN = 8 * PAGE, GUARD_INSTALL = 102 };

/* Whether the kernel can read the page (it cannot read a guard page). */
static bool readable(char *page)
{
	int fd = must(open("/dev/null", O_WRONLY)), p[2];
	bool ok;

	must(pipe(p));
	ok = write(p[1], page, 1) == 1;
	close(p[0]);
	close(p[1]);
	close(fd);
	return ok;
}

static bool guards_ok(char *at)
{
	for (int i = 0; i < 8; i++)
		if (readable(at + i * PAGE) == (i == 2 || i == 3 || i == 6))
			return false;
	return true;
}

static void guard(char *at)
{
	if (madvise(at + 2 * PAGE, 2 * PAGE, GUARD_INSTALL))
		skip("no guard pages");
	must(madvise(at + 6 * PAGE, PAGE, GUARD_INSTALL));
}

int main(void)
{
	int rw = PROT_READ | PROT_WRITE, fd = must(open("file", O_RDWR | O_CREAT, 0600));
	char *anon = must_ptr(mmap(NULL, LEN, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), *file;
	unsigned char resident = 0;
	char *later;

	must(ftruncate(fd, LEN));
	file = must_ptr(mmap(NULL, LEN, rw, MAP_PRIVATE, fd, 0));
	must(close(fd));
	pattern_fill(anon, LEN, 1);
	pattern_fill(file, LEN, 2);
	guard(anon);
	guard(file);
	must(mlockall(MCL_FUTURE));

	checkpoint();
	check(guards_ok(anon), "guards in anonymous memory");
	check(guards_ok(file), "guards in a file");
	later = must_ptr(mmap(NULL, LEN, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	must(mincore(later, PAGE, &resident));
	check(resident & 1, "mappings to come are locked and filled");
	must(munlockall());
	must(unlink("file"));
	return test_end();
}
