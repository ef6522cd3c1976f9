/*
 * Registrations for expedited memory barriers, per address space: what was registered can be used,
 * nothing else is.
 */
#include "test.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>

enum { GET_REGISTRATIONS = 1 << 9 };

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void run(void *arg)
{
	long commands = (long)arg;
	int before, after;

	for (int bit = 0; bit < 9; bit++)
		if (commands & 1 << bit)
			must(membarrier(1 << bit));
	before = membarrier(GET_REGISTRATIONS);
	checkpoint_wait();
	after = membarrier(GET_REGISTRATIONS);
	check(before == after, "%#x, then %#x", before, after);
	check((membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) ==
	      !!(commands & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
}

int main(void)
{
	static const long sets[] = {
		0,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |
			MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ |
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		task_run(run, (void *)sets[i]);
	checkpoint();
	return test_end();
}
