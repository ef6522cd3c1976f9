/*
 * harness: modes=restore
 * A file that O_TMPFILE made keeps its right to a name. (Its text holds the inode's number, which
 * is another one afterwards.)
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);
	char path[32], buf[8];
	struct stat st;

	if (fd < 0)
		skip("no O_TMPFILE here: %s", strerror(errno));
	must(write(fd, "nameless", 8));
	checkpoint();
	check(lseek(fd, 0, SEEK_CUR) == 8 && pread(fd, buf, 8, 0) == 8 &&
	      !memcmp(buf, "nameless", 8));
	check(!fstat(fd, &st) && (st.st_mode & 07777) == 0640 && !st.st_nlink);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(!linkat(AT_FDCWD, path, AT_FDCWD, "published", AT_SYMLINK_FOLLOW), "%s",
	      strerror(errno));
	return test_end();
}
