/*
 * What madvise and mlock leave on mappings: each advice on a mapping of its own; the fingerprint
 * compares VmFlags, the body checks that wipe-on-fork and do-not-fork still do what they say.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum { PAGE = 4096, LEN = 4 * PAGE };
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static const int advices[] = {MADV_SEQUENTIAL, MADV_RANDOM,   MADV_DONTFORK,   MADV_WIPEONFORK,
			      MADV_DONTDUMP,   MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE};
enum { COUNT = sizeof(advices) / sizeof(advices[0]) };

static char *map(int prot, int flags)
{
	char *p = must_ptr(mmap(NULL, LEN, prot, flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	/* A gap, so that neighbours never merge. */
	must_ptr(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	return p;
}

static int look_in_child(char *const *at)
{
	int status = 0;
	pid_t pid = must(fork());

	if (!pid) {
		bool absent = msync(at[2], LEN, MS_ASYNC) < 0 && errno == ENOMEM;

		_exit((absent ? 0 : 1) | (at[3][0] ? 2 : 0));
	}
	must(waitpid(pid, &status, 0));
	return status;
}

int main(void)
{
	char *at[COUNT], *locked = map(PROT_READ | PROT_WRITE, 0),
			 *onfault = map(PROT_READ | PROT_WRITE, 0);
	char *noreserve = map(PROT_READ | PROT_WRITE, MAP_NORESERVE);
	char value[64];

	for (int i = 0; i < COUNT; i++) {
		at[i] = map(PROT_READ | PROT_WRITE, 0);
		pattern_fill(at[i], LEN, i + 1);
		must_true(!madvise(at[i], LEN, advices[i]) || errno == EINVAL);
	}
	pattern_fill(locked, LEN, 50);
	must(mlock(locked, LEN));
	must(mlock2(onfault, LEN, MLOCK_ONFAULT));
	pattern_fill(noreserve, LEN, 51);
	checkpoint();
	for (int i = 0; i < COUNT; i++)
		check(pattern_ok(at[i], LEN, i + 1), "advice %d", advices[i]);
	check(pattern_ok(locked, LEN, 50) && pattern_ok(noreserve, LEN, 51));
	check(proc_value("status", "VmLck", value, sizeof(value)) && atoi(value) == 32, "%s",
	      value);
	check(look_in_child(at) == 0, "%#x", look_in_child(at));
	return test_end();
}
