/*
 * Memory locked while the task was privileged, a descriptor from before a chroot and a later change
 * of user: all of it is put back although the task could not do it any more.
 */
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { BYTES = 1 << 20 };

static bool locked(const void *p)
{
	unsigned long start = 0, end = 0, want = (unsigned long)p;
	FILE *f = must_ptr(fdopen(must(openat(100, "smaps", O_RDONLY)), "r"));
	bool in = false, ret = false;
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = start <= want && want < end;
		if (in && !strncmp(line, "VmFlags:", 8))
			ret = strstr(line, " lo") != NULL;
	}
	fclose(f);
	return ret;
}

static void run(void *arg)
{
	const struct rlimit none = { 0, 0 };
	char *p = must_ptr(
		mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct stat st;

	(void)arg;
	must(mkdir("inner", 0755));
	must(dup2(must(open("outside", O_CREAT | O_RDWR, 0600)), 101));
	must(dup2(must(open("/proc/self", O_RDONLY | O_DIRECTORY)), 100));
	pattern_fill(p, BYTES, 5);
	must(mlock(p, BYTES));
	must(setrlimit(RLIMIT_MEMLOCK, &none));
	must(chroot("inner"));
	must(chdir("/"));
	must(setgroups(0, NULL));
	must(setresgid(65534, 65534, 65534));
	must(setresuid(65534, 65534, 65534));
	checkpoint_wait();
	check(pattern_ok(p, BYTES, 5));
	check(locked(p));
	check(mlock(p, BYTES) < 0 && (errno == EPERM || errno == ENOMEM));
	check(write(101, "x", 1) == 1 && !fstat(101, &st) && st.st_size == 1);
	check(access("/outside", F_OK) < 0 && errno == ENOENT);
	check(geteuid() == 65534);
}

int main(void)
{
	task_run(run, NULL);
	checkpoint();
	return test_end();
}
