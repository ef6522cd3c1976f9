/* A task that has unmapped its vdso comes back without one. */
#include "test.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int count(bool unmap)
{
	FILE *maps = must_ptr(fopen("/proc/self/maps", "r"));
	unsigned long start[8], end[8];
	char line[512];
	int n = 0;

	while (fgets(line, sizeof(line), maps))
		if ((strstr(line, "[vdso]") || strstr(line, "[vvar")) && n < 8 &&
		    sscanf(line, "%lx-%lx", &start[n], &end[n]) == 2)
			n++;
	fclose(maps);
	for (int i = 0; i < n && unmap; i++)
		must(syscall(SYS_munmap, start[i], end[i] - start[i]));
	return n;
}

static void without(void *arg)
{
	(void)arg;
	(void)count(true);
	must_true(count(false) == 0);
	checkpoint_wait();
	check(count(false) == 0);
}

int main(void)
{
	task_run(without, NULL);
	checkpoint();
	return test_end();
}
