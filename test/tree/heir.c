/*
 * Children that have almost everything from their parent, each with one thing of its own: pages,
 * read-only pages, pages given back, a signal's action, a timer, threads, a lock, a name; and some
 * with what a fork cannot give them: a directory, a descriptor, a mapping, an access.
 * harness: cycles=10 again=10
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>

enum { PAGE = 4096, PAGES = 64, CONSTANT = 60, CHILDREN = 12 };

static unsigned char *memory;
static int file;

/* Page i as the parent has it; `own` pages differ in every child. */
static uint64_t seed_of(long child, int page)
{
	return page == child || page == CONSTANT + child % 4 ? (uint64_t)(1000 * child + page) :
							       (uint64_t)page;
}

static void fill(long child, int page)
{
	pattern_fill(memory + (size_t)page * PAGE, PAGE, seed_of(child, page));
}

static void write_own_pages(long child)
{
	must(mprotect(memory + CONSTANT * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE));
	fill(child, (int)child);
	fill(child, CONSTANT + (int)child % 4);
	must(mprotect(memory + CONSTANT * PAGE, 4 * PAGE, PROT_READ));
	must(madvise(memory + (20 + child) * PAGE, PAGE, MADV_DONTNEED));
}

static void check_pages(long child)
{
	static const unsigned char zero[PAGE];

	for (int i = 0; i < PAGES; i++)
		if (child && i == 20 + child)
			check(!memcmp(memory + (size_t)i * PAGE, zero, PAGE), "page %d", i);
		else
			check(pattern_ok(memory + (size_t)i * PAGE, PAGE, seed_of(child, i)),
			      "child %ld: page %d", child, i);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void thread(void *arg)
{
	(void)arg;
	checkpoint_wait();
}

static void set_special(long child)
{
	struct itimerval hour = { { 3600, 0 }, { 3600, 0 } };
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	switch (child) {
	case 1: must_true(signal(SIGUSR1, on_signal) != SIG_ERR); break;
	case 2: must(setitimer(ITIMER_REAL, &hour, NULL)); break;
	case 3: thread_run(thread, NULL); break;
	case 4: must(fcntl(file, F_SETLK, &whole)); break;
	case 5: must(prctl(PR_SET_NAME, "other")); break;
	case 6: must(chdir("/")); break;
	case 7: must(dup(file)); break;
	case 8: must_ptr(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)); break;
	case 9: must(mprotect(memory, PAGE, PROT_READ)); break;
	case 10: must(setpgid(0, 0)); break;
	}
}

static void check_special(long child)
{
	struct itimerval left;
	struct sigaction a;
	char text[64] = "";

	check(!sigaction(SIGUSR1, NULL, &a));
	check((a.sa_handler == on_signal) == (child == 1));
	check(!getitimer(ITIMER_REAL, &left));
	check((left.it_value.tv_sec > 3000) == (child == 2));
	check(!prctl(PR_GET_NAME, text));
	check(!strcmp(text, "other") == (child == 5), "'%s'", text);
	check(must_ptr(getcwd(text, sizeof(text))) && !strcmp(text, "/") == (child == 6));
	check((fcntl(file + 1, F_GETFD) >= 0) == (child == 7));
	check((getpgid(0) == getpid()) == (child == 10 || !child));
	check(lseek(file, 0, SEEK_CUR) == 7);
}

static void live(void *arg)
{
	long child = (long)arg;

	write_own_pages(child);
	set_special(child);
	checkpoint_wait();
	check_pages(child);
	check_special(child);
}

int main(void)
{
	memory = must_ptr(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (int i = 0; i < PAGES; i++)
		fill(0, i);
	must(mprotect(memory + CONSTANT * PAGE, 4 * PAGE, PROT_READ));
	file = must(open("file", O_CREAT | O_RDWR, 0600));
	must(lseek(file, 7, SEEK_SET));
	for (long i = 1; i < CHILDREN; i++)
		task_run(live, (void *)i);
	checkpoint();
	check_pages(0);
	return test_end();
}
