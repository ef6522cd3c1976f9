/*
 * Names of tasks and threads that parsers trip over: brackets, blanks, newlines, none at all, all
 * fifteen bytes.
 */
#include "test.h"

#include <sys/prctl.h>

static void run(void *arg)
{
	const char *name = arg;
	char now[16] = "";

	must(prctl(PR_SET_NAME, name));
	checkpoint_wait();
	check(!prctl(PR_GET_NAME, now) && !strcmp(now, name), "'%s' is not '%s'", now, name);
}

int main(void)
{
	static const char *const names[] = {
		"a) R 1 (b", "((", "two\nlines", "", "fifteen-bytes-x", "\xff\xfe utf-8?", " "};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		task_run(run, (void *)names[i]);
		thread_run(run, (void *)names[i]);
	}
	must(prctl(PR_SET_NAME, "Z) Z 0 0"));
	checkpoint();
	return test_end();
}
