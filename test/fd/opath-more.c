/*
 * Descriptors opened with O_PATH: of a file, a directory, a symbolic link that exists, a link and a
 * file that were removed, a fifo (opening it would block) and a device.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { COUNT = 7 };

int main(void)
{
	static const mode_t type[COUNT] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFLNK,
					   S_IFREG, S_IFIFO, S_IFCHR};
	static const char *const name[COUNT] = {"file", ".",    "link",	   "gone-link",
						"gone", "fifo", "/dev/null"};
	struct stat st;
	char to[32] = "";
	int fd[COUNT];

	must(close(must(open("file", O_CREAT | O_WRONLY, 0))));
	must(close(must(open("gone", O_CREAT | O_WRONLY, 0600))));
	must(symlink("to nowhere", "link") | symlink("to nowhere", "gone-link"));
	must(mkfifo("fifo", 0600));
	for (int i = 0; i < COUNT; i++)
		fd[i] = must(open(name[i], O_PATH | O_NOFOLLOW | (i == 1 ? O_DIRECTORY : 0)));
	must(unlink("gone") | unlink("gone-link"));
	checkpoint();
	for (int i = 0; i < COUNT; i++) {
		check(fcntl(fd[i], F_GETFL) & O_PATH, "%s %#x", name[i], fcntl(fd[i], F_GETFL));
		check(!fstat(fd[i], &st) && (st.st_mode & S_IFMT) == type[i], "%s", name[i]);
		check(read(fd[i], to, 1) < 0 && errno == EBADF);
	}
	for (int i = 2; i < 4; i++)
		check(readlinkat(fd[i], "", to, sizeof(to)) == 10 && !memcmp(to, "to nowhere", 10),
		      "%s", name[i]);
	check(!fstat(fd[4], &st) && st.st_nlink == 0);
	check(!faccessat(fd[1], "file", F_OK, 0) && access("gone", F_OK) < 0);
	return test_end();
}
