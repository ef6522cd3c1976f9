/*
 * harness: dump=--link-remap modes=restore,cycles
 * A file whose name is gone while another one exists: the same inode, and no more names than
 * before.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static int names(void)
{
	DIR *d = must_ptr(opendir("."));
	int n = 0;

	while (readdir(d))
		n++;
	must(closedir(d));
	return n;
}

int main(void)
{
	int fd = must(open("lost", O_CREAT | O_RDWR, 0600)), before;
	struct stat st, kept;

	must(link("lost", "kept"));
	must(unlink("lost"));
	before = names();
	checkpoint();
	check(!fstat(fd, &st) && !stat("kept", &kept) && st.st_ino == kept.st_ino);
	check(st.st_nlink == 1, "%lu links", (unsigned long)st.st_nlink);
	check(names() == before && access("lost", F_OK));
	return test_end();
}
