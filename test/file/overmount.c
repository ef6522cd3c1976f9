/*
 * Files below a directory that a mount covers: a file, a named pipe, a directory, an O_PATH
 * descriptor, a node.
 */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int main(void)
{
	int file, pipe, dir, path, node;
	char buf[8] = "";
	struct stat st, same;

	if (mkdir("a", 0700) || mkdir("a/b", 0700))
		return 1;
	file = must(open("a/b/file", O_RDWR | O_CREAT, 0600));
	must_true(write(file, "content", 7) == 7);
	must(lseek(file, 3, SEEK_SET));
	must(mkfifo("a/fifo", 0600));
	pipe = must(open("a/fifo", O_RDWR));
	must_true(write(pipe, "piped", 5) == 5);
	dir = must(open("a/b", O_RDONLY | O_DIRECTORY));
	path = must(open("a/b/file", O_PATH));
	if (mknod("a/null", S_IFCHR | 0600, makedev(1, 3)) || (node = open("a/null", O_RDWR)) < 0)
		node = must(open("/dev/null", O_RDWR));
	if (mount("none", "a", "tmpfs", 0, NULL))
		skip("no mounts here");
	must(fstat(file, &st));
	checkpoint();
	check(!fstat(file, &same) && same.st_ino == st.st_ino && same.st_dev == st.st_dev);
	check(read(file, buf, 8) == 4 && !memcmp(buf, "tent", 4), "%s", buf);
	check(read(pipe, buf, 8) == 5 && !memcmp(buf, "piped", 5), "%s", buf);
	check(!fstatat(dir, "file", &same, 0) && same.st_ino == st.st_ino);
	check(!fstatat(path, "", &same, AT_EMPTY_PATH) && same.st_ino == st.st_ino);
	check(write(node, "x", 1) == 1);
	umount2("a", MNT_DETACH);
	return test_end();
}
