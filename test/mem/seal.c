/*
 * Rules about mappings: sealed ones (mseal) cannot be changed or removed, all future ones are
 * locked (mlockall), and protection keys keep their mappings, with the rights of this thread.
 */
#include "test.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

enum { PAGE = 4096 };

static sigjmp_buf back;

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

static char *map(int prot)
{
	return must_ptr(mmap(NULL, 4 * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static bool is_locked(void)
{
	char value[64] = "";
	long before, after;

	must_true(proc_value("status", "VmLck", value, sizeof(value)));
	before = atol(value);
	map(PROT_READ | PROT_WRITE);
	must_true(proc_value("status", "VmLck", value, sizeof(value)));
	after = atol(value);
	return after == before + 16;
}

int main(void)
{
	struct sigaction sa = {.sa_handler = on_fault};
	char *sealed = map(PROT_READ | PROT_WRITE), *ro = map(PROT_READ), *keyed;
	int key = pkey_alloc(0, 0);
	bool has_seal;

	must(sigaction(SIGSEGV, &sa, NULL));
	pattern_fill(sealed, 4 * PAGE, 1);
	has_seal = !syscall(SYS_mseal, sealed, 2 * PAGE, 0) && !syscall(SYS_mseal, ro, 4 * PAGE, 0);
	keyed = map(PROT_READ | PROT_WRITE);
	pattern_fill(keyed, 4 * PAGE, 2);
	if (key >= 0)
		must(pkey_mprotect(keyed, PAGE, PROT_READ | PROT_WRITE, key) |
		     pkey_set(key, PKEY_DISABLE_ACCESS));
	must(mlockall(MCL_FUTURE | MCL_ONFAULT));
	must_true(is_locked());
	checkpoint();
	check(is_locked(), "a new mapping is not locked");
	check(pattern_ok(sealed, 4 * PAGE, 1));
	check(!has_seal || (munmap(sealed + PAGE, PAGE) < 0 && errno == EPERM));
	check(!has_seal || (mprotect(ro, PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EPERM));
	check(!munmap(sealed + 2 * PAGE, 2 * PAGE));
	if (key >= 0) {
		check(!readable(keyed) && readable(keyed + PAGE));
		check(!pkey_set(key, 0) && pattern_ok(keyed, 4 * PAGE, 2));
		check(!pkey_free(key));
	}
	return test_end();
}
