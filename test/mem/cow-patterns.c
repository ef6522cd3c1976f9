/*
 * All the ways in which a page of relatives can be used: read or written by the parent before the
 * fork, by the parent after it, by the child after it; in anonymous memory, in the same beside
 * unreadable and growing neighbours, in a private file mapping, and in memory that both mapped
 * separately at one address. A child that changed the protection of a part, and one whose parent
 * dropped the pages that two siblings still share.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 128, AREAS = 5, DROPPED = 16 };
enum { READ_BEFORE = 1, WRITE_BEFORE = 2, PARENT_READ = 4, PARENT_WRITE = 8, CHILD_READ = 16,
       CHILD_WRITE = 32, BOTH_LATE = 64 };

static char *area[AREAS], *dropped, *part;
static int fd;
static uint32_t *turn;

static void use(char *p, int i, int how, int read, int write, uint64_t seed)
{
	if (how & read)
		(void)*(volatile char *)(p + i * PAGE);
	if (how & write)
		pattern_fill(p + i * PAGE, PAGE, seed + i);
}

static void use_all(int read, int write, uint64_t seed)
{
	for (int a = 0; a < AREAS; a++)
		for (int i = 0; i < PAGES; i++)
			use(area[a], i, i, read, write, seed + a * 1000);
}

static bool is_zero(const char *p)
{
	static const char zero[PAGE];

	return !memcmp(p, zero, PAGE);
}

static void check_page(int a, int i, bool child)
{
	const char *p = area[a] + i * PAGE;
	uint64_t at = a * 1000 + i;
	bool before = i & WRITE_BEFORE && (a != AREAS - 1 || !child), ok;

	if (child ? i & CHILD_WRITE : i & PARENT_WRITE)
		ok = pattern_ok(p, PAGE, (child ? 300000 : 200000) + at);
	else if (before)
		ok = pattern_ok(p, PAGE, 100000 + at);
	else
		ok = a == 2 ? pattern_ok(p, PAGE, 1) : is_zero(p);
	check(ok, "%s: area %d page %d", child ? "child" : "parent", a, i);
}

static void check_all(bool child)
{
	for (int a = 0; a < AREAS; a++)
		for (int i = 0; i < PAGES; i++)
			check_page(a, i, child);
}

static void *map(char *at, int flags, int file)
{
	return must_ptr(mmap(at, PAGES * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | flags | (file < 0 ? MAP_ANONYMOUS : 0), file, 0));
}

static void child(void *arg)
{
	map(area[4], MAP_FIXED, -1); /* its own, at the same address */
	use_all(CHILD_READ, CHILD_WRITE, 300000);
	must(mprotect(part, 4 * PAGE, PROT_READ));
	event_add(turn);
	checkpoint_wait();
	check_all(true);
	check(pattern_ok(part, 16 * PAGE, 5) && pattern_ok(dropped, DROPPED * PAGE, 6));
	check(!mprotect(part, 4 * PAGE, PROT_READ | PROT_WRITE));
	memset(part, 1, 16 * PAGE);
	event_add(turn);
	(void)arg;
}

static void sibling(void *arg)
{
	event_add(turn);
	checkpoint_wait();
	event_wait(turn, 3);
	check(pattern_ok(part, 16 * PAGE, 5) && pattern_ok(dropped, DROPPED * PAGE, 6));
	(void)arg;
}

static void make_file(void)
{
	char buf[PAGE];

	fd = must(open("file", O_CREAT | O_RDWR, 0600));
	pattern_fill(buf, PAGE, 1);
	for (int i = 0; i < PAGES; i++)
		must_true(write(fd, buf, PAGE) == PAGE);
}

int main(void)
{
	char *room =
		must_ptr(mmap(NULL, 4000 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	turn = shared_alloc(PAGE);
	make_file();
	area[0] = map(NULL, 0, -1);
	area[1] = map(room + 1000 * PAGE, MAP_FIXED, -1); /* PROT_NONE on both sides */
	area[2] = map(NULL, 0, fd);
	area[3] = map(room + 3000 * PAGE, MAP_FIXED | MAP_GROWSDOWN, -1);
	area[4] = map(NULL, 0, -1);
	part = map(NULL, 0, -1);
	dropped = map(NULL, 0, -1);
	pattern_fill(part, 16 * PAGE, 5);
	pattern_fill(dropped, DROPPED * PAGE, 6);
	use_all(READ_BEFORE, WRITE_BEFORE, 100000);
	task_run(child, NULL);
	task_run(sibling, NULL);
	event_wait(turn, 2);
	must(madvise(dropped, DROPPED * PAGE, MADV_DONTNEED));
	use_all(PARENT_READ, PARENT_WRITE, 200000);
	checkpoint();
	event_wait(turn, 3);
	check_all(false);
	check(pattern_ok(part, 16 * PAGE, 5) && is_zero(dropped));
	return test_end();
}
