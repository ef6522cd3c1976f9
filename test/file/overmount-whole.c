/* A file on a mount that another one covers as a whole: no way leads to that mount. */
/* harness: refused */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

int main(void)
{
	struct stat st, same;
	char buf[8] = "";
	int lost;

	must(mkdir("m", 0700));
	if (mount("none", "m", "tmpfs", 0, NULL))
		skip("no mounts here");
	lost = must(open("m/lost", O_RDWR | O_CREAT, 0600));
	must_true(write(lost, "lost", 4) == 4);
	must(mount("none", "m", "tmpfs", 0, NULL));
	must(fstat(lost, &st));
	checkpoint();
	check(!fstat(lost, &same) && same.st_ino == st.st_ino && same.st_dev == st.st_dev);
	check(pread(lost, buf, 8, 0) == 4 && !memcmp(buf, "lost", 4), "%s", buf);
	check(write(lost, "!", 1) == 1 && lseek(lost, 0, SEEK_CUR) == 5);
	for (int i = 0; i < 2; i++)
		umount2("m", MNT_DETACH);
	return test_end();
}
