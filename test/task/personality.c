/* Personalities: of a process without address randomisation, and one that reads as executable. */
#include "test.h"

#include <sys/mman.h>
#include <sys/personality.h>

static void other(void *arg)
{
	(void)arg;
	must(personality(READ_IMPLIES_EXEC | PER_LINUX));
	checkpoint_wait();
	check(personality(0xffffffff) == READ_IMPLIES_EXEC, "%#x", personality(0xffffffff));
}

int main(void)
{
	must(personality(ADDR_NO_RANDOMIZE | UNAME26));
	task_run(other, NULL);
	thread_run(other, NULL);
	checkpoint();
	check(personality(0xffffffff) == (ADDR_NO_RANDOMIZE | UNAME26));
	return test_end();
}
