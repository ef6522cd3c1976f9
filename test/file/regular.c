/*
 * Regular files: position, access mode, status flags, close-on-exec, owner and signal, append; also
 * removed files, hard-linked removed files, replaced names and files below a removed directory.
 */
/* harness: dump=--link-remap */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

enum { LEN = 10000 };

static int make(const char *name, int flags, uint64_t seed)
{
	char buf[LEN];
	int fd = must(open(name, O_CREAT | O_RDWR | flags, 0640));

	pattern_fill(buf, LEN, seed);
	must_true(write(fd, buf, LEN) == LEN);
	return fd;
}

static void check_content(int fd, uint64_t seed)
{
	char buf[LEN] = { 0 };

	check(pread(fd, buf, LEN, 0) == LEN && pattern_ok(buf, LEN, seed), "descriptor %d", fd);
}

static void check_same_file(int fd, const char *name, bool same)
{
	struct stat a, b;

	check(!fstat(fd, &a) && !stat(name, &b), "%s", name);
	check((a.st_ino == b.st_ino && a.st_dev == b.st_dev) == same, "%s", name);
}

int main(void)
{
	int plain = make("plain", 0, 1), append = make("append", O_APPEND, 2),
	    gone = make("gone", 0, 3);
	int linked = make("linked", 0, 4), replaced = make("replaced", 0, 5), below, readonly;

	must(lseek(plain, 1234, SEEK_SET));
	must(fcntl(plain, F_SETFD, FD_CLOEXEC));
	must(fcntl(plain, F_SETOWN, getpid()));
	must(fcntl(plain, F_SETSIG, SIGUSR2));
	readonly = must(open("plain", O_RDONLY | O_NONBLOCK | O_NOATIME));
	must(unlink("gone"));
	must(link("linked", "other-name"));
	must(unlink("linked"));
	must(rename("replaced", "old"));
	must(unlink("old"));
	must(close(make("replaced", 0, 6)));
	must(mkdir("dir", 0700));
	below = make("dir/file", O_SYNC, 7);
	must(unlink("dir/file"));
	must(rmdir("dir"));
	checkpoint();
	check(lseek(plain, 0, SEEK_CUR) == 1234 && fcntl(plain, F_GETFD) == FD_CLOEXEC);
	check(fcntl(plain, F_GETOWN) == getpid() && fcntl(plain, F_GETSIG) == SIGUSR2);
	check((fcntl(readonly, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_NOATIME)) ==
	      (O_RDONLY | O_NONBLOCK | O_NOATIME));
	check(write(readonly, "x", 1) < 0 && errno == EBADF);
	check(lseek(append, 0, SEEK_SET) == 0 && write(append, "x", 1) == 1 &&
	      lseek(append, 0, SEEK_CUR) == LEN + 1);
	check_content(plain, 1);
	check_content(append, 2);
	check_content(gone, 3);
	check(access("gone", F_OK) < 0 && access("linked", F_OK) < 0 && access("dir", F_OK) < 0);
	check_content(linked, 4);
	check_same_file(linked, "other-name", true);
	check_content(replaced, 5);
	check_same_file(replaced, "replaced", false);
	check_content(below, 7);
	return test_end();
}
