/*
 * A file made by O_TMPFILE gets a name in the end (linkat), also when that happens after a restore.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

static int publish(int fd, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

int main(void)
{
	int fd = must(open(".", O_TMPFILE | O_RDWR, 0640));
	int flags;
	struct stat st;

	must_true(write(fd, "published", 9) == 9);
	flags = fcntl(fd, F_GETFL);
	checkpoint();
	check(fcntl(fd, F_GETFL) == flags, "%#x, was %#x", fcntl(fd, F_GETFL), flags);
	check(!publish(fd, "name"));
	check(!stat("name", &st) && st.st_size == 9 && st.st_nlink == 1 &&
	      (st.st_mode & 07777) == 0640);
	return test_end();
}
