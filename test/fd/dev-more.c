/*
 * Character devices without state: by name and number, with flags, and by a node that was removed.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { COUNT = 5 };

int main(void)
{
	static const char *const name[COUNT] = {"/dev/null", "/dev/zero", "/dev/full",
						"/dev/random", "/dev/urandom"};
	struct stat st;
	dev_t id[COUNT];
	int fd[COUNT], gone, log, block, control, mem;
	char byte;

	for (int i = 0; i < COUNT; i++) {
		fd[i] = must(
			open(name[i], (i < 3 ? O_RDWR : O_RDONLY) | (i == 4 ? O_NONBLOCK : 0)));
		must(fstat(fd[i], &st));
		id[i] = st.st_rdev;
	}
	if (mknod("node", S_IFCHR | 0600, makedev(1, 5)) || (gone = open("node", O_RDWR)) < 0)
		gone = must(open("/dev/zero", O_RDWR));
	unlink("node");
	log = open("/dev/kmsg", O_RDWR | O_NONBLOCK);
	block = open("/dev/loop0", O_RDONLY);
	control = open("/dev/loop-control", O_RDWR);
	mem = open("/dev/mem", O_RDONLY);
	if (log >= 0)
		must(lseek(log, 0, SEEK_END));
	if (mem >= 0)
		must(lseek(mem, 0x1234, SEEK_SET));
	checkpoint();
	check(log < 0 || (fcntl(log, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK));
	check(block < 0 || (!fstat(block, &st) && S_ISBLK(st.st_mode)));
	check(control < 0 || (!fstat(control, &st) && st.st_rdev == makedev(10, 237)));
	check(mem < 0 || lseek(mem, 0, SEEK_CUR) == 0x1234);
	for (int i = 0; i < COUNT; i++)
		check(!fstat(fd[i], &st) && st.st_rdev == id[i], "%s", name[i]);
	check(read(fd[0], &byte, 1) == 0 && write(fd[0], "x", 1) == 1);
	check(write(fd[2], "x", 1) < 0 && errno == ENOSPC);
	check(fcntl(fd[4], F_GETFL) & O_NONBLOCK && write(fd[4], "x", 1) < 0 && errno == EBADF);
	byte = 1;
	check(read(gone, &byte, 1) == 1 && byte == 0 && access("node", F_OK) < 0);
	return test_end();
}
