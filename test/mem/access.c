/*
 * What a page may be used for, as the processor sees it: reading, writing and running each page
 * gives the same fault before and after. Also memory below the stack pointer, the highest address
 * there is, and 512 MiB of data in which one page of each MiB cannot be read.
 */
#include "test.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

enum { PAGE = 4096, KINDS = 8, MIB = 1 << 20, BIG = 512 };

static sigjmp_buf back;
static char *page, *big, *top;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

/* One character per page and way: which signal it gives, as a digit; 0: none. */
static void probe(char *volatile p, char *volatile ret)
{
	static void (*volatile call)(void);

	for (volatile int i = 0; i < KINDS; i++, p += PAGE)
		for (volatile int way = 0; way < 3; way++) {
			int sig = sigsetjmp(back, 1);

			if (sig) {
				*ret++ = (char)('0' + sig % 10);
				continue;
			}
			if (way == 0)
				(void)*(volatile char *)p;
			else if (way == 1)
				*(volatile char *)p = (char)0xc3; /* ret */
			else
				call = (void (*)(void))p, call();
			*ret++ = '.';
		}
}

static void make_big(void)
{
	big = must_ptr(mmap(NULL, (size_t)BIG * MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	must(madvise(big, (size_t)BIG * MIB, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < BIG; i++) {
		pattern_fill(big + i * MIB, PAGE, i);
		pattern_fill(big + i * MIB + 128 * PAGE, PAGE, i + 1000);
		must(mprotect(big + i * MIB, PAGE, PROT_NONE));
	}
}

static void check_big(void)
{
	for (size_t i = 0; i < BIG; i++) {
		check(!mprotect(big + i * MIB, PAGE, PROT_READ));
		check(pattern_ok(big + i * MIB, PAGE, i) &&
			      pattern_ok(big + i * MIB + 128 * PAGE, PAGE, i + 1000),
		      "MiB %zu", i);
	}
}

/* Fills the red zone and what is further below, and looks at it in the same frame. */
static void checkpoint_with_data_below(void)
{
	char *stack = (char *)__builtin_frame_address(0) - 3 * 65536;

	pattern_fill(stack, 65536, 9);
	checkpoint();
	check(pattern_ok(stack, 65536, 9), "memory below the stack pointer");
}

int main(void)
{
	static const int prot[KINDS] = {0, 1, 2, 3, 4, 5, 6, 7};
	char before[KINDS * 3 + 1] = "", after[KINDS * 3 + 1] = "";
	struct sigaction sa = {.sa_handler = on_fault};

	must(sigaction(SIGSEGV, &sa, NULL) | sigaction(SIGBUS, &sa, NULL));
	page = must_ptr(mmap(NULL, KINDS * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memset(page, 0xc3, KINDS * PAGE);
	for (int i = 0; i < KINDS; i++)
		must(mprotect(page + i * PAGE, PAGE, prot[i]));
	top = must_ptr(mmap((char *)0x7ffffffff000 - 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	pattern_fill(top, 2 * PAGE, 5);
	make_big();
	probe(page, before);
	checkpoint_with_data_below();
	probe(page, after);
	check(!strcmp(before, after), "%s, was %s", after, before);
	check(pattern_ok(top, 2 * PAGE, 5));
	check_big();
	return test_end();
}
