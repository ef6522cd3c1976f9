/*
 * A directory that was removed, together with its parents, open and as the working directory of a
 * task; one whose name is a directory again.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static void child(void *arg)
{
	struct stat here, open_dir;
	char buf[4096];
	int fd = *(int *)arg;

	must(chdir("x/y"));
	must(rmdir("../../x/y") | rmdir("../../x"));
	checkpoint_wait();
	check(!stat(".", &here) && !fstat(fd, &open_dir) && same(&here, &open_dir));
	check(here.st_nlink == 0, "%lu links", here.st_nlink);
	check(!getcwd(buf, sizeof(buf)) && errno == ENOENT);
	check(open("new", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
}

int main(void)
{
	struct stat st, now;
	char path[64], to[512] = "";
	int deep, again;

	must(mkdir("x", 0700) | mkdir("x/y", 0711) | mkdir("again", 0700));
	deep = must(open("x/y", O_RDONLY | O_DIRECTORY));
	again = must(open("again", O_RDONLY | O_DIRECTORY));
	must(rmdir("again") | mkdir("again", 0700));
	task_run(child, &deep);
	checkpoint();
	check(access("x", F_OK) < 0);
	check(!fstat(deep, &st) && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0711);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", deep);
	check(readlink(path, to, sizeof(to) - 1) > 0 && strstr(to, "/x/y (deleted)"), "%s", to);
	check(!fstat(again, &st) && !stat("again", &now) && !same(&st, &now));
	check(openat(deep, "file", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
	return test_end();
}
