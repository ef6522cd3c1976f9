/* Flags of address spaces: no huge pages, merging of equal pages, dumpable. */
#include "test.h"

#include <sys/prctl.h>

enum { SET_MEMORY_MERGE = 67, GET_MEMORY_MERGE = 68 };

static void no_huge_pages(void *arg)
{
	(void)arg;
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	must(prctl(PR_SET_DUMPABLE, 0));
	checkpoint_wait();
	check(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	check(prctl(PR_GET_DUMPABLE) == 0);
}

static void huge_pages_on_advice(void *arg)
{
	bool can = !prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0); /* 6.18+ */

	(void)arg;
	checkpoint_wait();
	check(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == (can ? 3 : 0));
}

static void merging(void *arg)
{
	bool can = !prctl(SET_MEMORY_MERGE, 1, 0, 0, 0); /* 6.4+ */

	(void)arg;
	checkpoint_wait();
	check(!can || prctl(GET_MEMORY_MERGE, 0, 0, 0, 0) == 1);
}

int main(void)
{
	task_run(no_huge_pages, NULL);
	task_run(huge_pages_on_advice, NULL);
	task_run(merging, NULL);
	checkpoint();
	check(prctl(PR_GET_DUMPABLE) == 1 && !prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	return test_end();
}
