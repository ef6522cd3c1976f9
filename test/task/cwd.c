/*
 * Working directory, root and umask: in a sub-directory, in a removed one, in a chroot, and shared
 * between two tasks by CLONE_FS, where a change of one is seen by the other afterwards.
 */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void in_directory(void *arg)
{
	char before[4096], after[4096];

	must(mkdir(arg, 0750));
	must(chdir(arg));
	umask(0137);
	must_ptr(getcwd(before, sizeof(before)));
	checkpoint_wait();
	check(getcwd(after, sizeof(after)) && !strcmp(before, after), "%s", after);
	check(umask(0) == 0137);
	check(!access("../sub", F_OK));
}

static void in_removed(void *arg)
{
	char path[64];

	must(mkdir(arg, 0700));
	must(chdir(arg));
	snprintf(path, sizeof(path), "../%s", (char *)arg);
	must(rmdir(path));
	checkpoint_wait();
	check(syscall(SYS_getcwd, path, sizeof(path)) < 0 ? errno == ENOENT
							  : !strncmp(path, "(unreachable)", 13));
	check(open("file", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
	check(!access(".", F_OK));
}

static void in_chroot(void *arg)
{
	char now[4096];

	must(mkdir(arg, 0755));
	must(chdir(arg));
	must(mkdir("inner", 0755));
	must(chroot("."));
	must(chdir("/inner"));
	checkpoint_wait();
	check(getcwd(now, sizeof(now)) && !strcmp(now, "/inner"), "%s", now);
	check(!access("/inner", F_OK) && access("/proc", F_OK) < 0);
}

static uint32_t *turn;

static int sharing(void)
{
	checkpoint_wait();
	event_wait(turn, 1);
	check(umask(077) == 0123);
	check(!access("../inside-sub2", F_OK));
	return test_end();
}

int main(void)
{
	turn = shared_alloc(4096);
	task_run(in_directory, "sub");
	task_run(in_removed, "removed");
	task_run(in_chroot, "chroot");
	if (!task_clone(CLONE_FS))
		return sharing();
	checkpoint();
	umask(0123);
	check(!mkdir("sub2", 0700) && !close(open("inside-sub2", O_CREAT | O_WRONLY, 0600)) &&
	      !chdir("sub2"));
	event_add(turn);
	return test_end();
}
