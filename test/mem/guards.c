/*
 * Guard pages (MADV_GUARD_INSTALL) in anonymous memory, in a private file mapping and in memory
 * that is wiped on fork, exactly where they were, with the data of their neighbours; a child that
 * inherited them; and memory the kernel may drop.
 */
#include "test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define DROPPABLE 0x08

enum { PAGE = 4096, PAGES = 32 };

static sigjmp_buf back;
static char *anon, *file, *wiped;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static bool readable(const char *p)
{
	if (sigsetjmp(back, 1))
		return false;
	(void)*(const volatile char *)p;
	return true;
}

static void install(char *p)
{
	for (int i = 0; i < PAGES; i++)
		if (i % 3 == 1 && madvise(p + i * PAGE, PAGE, MADV_GUARD_INSTALL))
			skip("no guard pages here");
}

static void check_guards(const char *p, bool guarded, uint64_t seed, const char *what)
{
	for (int i = 0; i < PAGES; i++) {
		bool guard = guarded && i % 3 == 1;

		check(readable(p + i * PAGE) == !guard, "%s page %d", what, i);
		if (i % 3 != 1 && !guard && seed)
			check(pattern_ok(p + i * PAGE, PAGE, seed + i), "%s page %d", what, i);
	}
}

static void child(void *arg)
{
	checkpoint_wait();
	check_guards(anon, true, 100, "child's anonymous");
	check_guards(file, true, 200, "child's file");
	check_guards(wiped, false, 0, "child's wiped");
	(void)arg;
}

static void fill(char *p, uint64_t seed)
{
	for (int i = 0; i < PAGES; i++)
		pattern_fill(p + i * PAGE, PAGE, seed + i);
}

int main(void)
{
	const int rw = PROT_READ | PROT_WRITE, private = MAP_PRIVATE | MAP_ANONYMOUS;
	struct sigaction sa = {.sa_handler = on_fault};
	int fd = must(open("file", O_CREAT | O_RDWR, 0600));
	char *drop;

	must(sigaction(SIGSEGV, &sa, NULL));
	must(ftruncate(fd, PAGES * PAGE));
	file = must_ptr(mmap(NULL, PAGES * PAGE, rw, MAP_SHARED, fd, 0));
	fill(file, 200);
	must(munmap(file, PAGES * PAGE));
	anon = must_ptr(mmap(NULL, PAGES * PAGE, rw, private, -1, 0));
	wiped = must_ptr(mmap(NULL, PAGES * PAGE, rw, private, -1, 0));
	file = must_ptr(mmap(NULL, PAGES * PAGE, rw, MAP_PRIVATE, fd, 0));
	must(madvise(wiped, PAGES * PAGE, MADV_WIPEONFORK));
	fill(anon, 100);
	fill(wiped, 300);
	pattern_fill(file + 6 * PAGE, PAGE, 206);
	file[6 * PAGE] ^= 0;
	install(anon);
	install(wiped);
	install(file);
	drop = mmap(NULL, PAGES * PAGE, rw, DROPPABLE | MAP_ANONYMOUS, -1, 0);
	if (drop != MAP_FAILED)
		memset(drop, 7, PAGES * PAGE);
	task_run(child, NULL);
	checkpoint();
	check_guards(anon, true, 100, "anonymous");
	check_guards(file, true, 200, "file");
	check_guards(wiped, true, 300, "wiped");
	if (drop != MAP_FAILED)
		check(*drop == 7 || *drop == 0);
	check(!madvise(anon + PAGE, PAGE, MADV_GUARD_INSTALL + 1) && !anon[PAGE]);
	return test_end();
}
