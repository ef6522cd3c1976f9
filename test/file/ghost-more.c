/*
 * Files without a name: the name taken by another file, odd characters, a directory its owner may
 * not write, O_TMPFILE, two removed hard links opened by each of their names, set-id bits and
 * times, also when only another task has the file. Nothing may stay in the directory.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { LEN = 3000 };

static int make(const char *name, int flags, mode_t mode, uint64_t seed)
{
	char buf[LEN];
	int fd = must(open(name, O_CREAT | O_TRUNC | O_RDWR | flags, 0600));

	pattern_fill(buf, LEN, seed);
	must_true(pwrite(fd, buf, LEN, 0) == LEN);
	must(fchmod(fd, mode));
	return fd;
}

static bool content_ok(int fd, uint64_t seed)
{
	char buf[LEN] = {0};

	return pread(fd, buf, LEN, 0) == LEN && pattern_ok(buf, LEN, seed);
}

static bool link_ends(int fd, const char *end)
{
	char path[64], to[512] = "";
	size_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(readlink(path, to, sizeof(to) - 1));
	len = strlen(to);
	return len > strlen(end) && !strcmp(to + len - strlen(end), end);
}

static void holder(void *arg)
{
	int fd = make("child-only", 0, 0640, 7);

	(void)arg;
	must(unlink("child-only"));
	checkpoint_wait();
	check(content_ok(fd, 7) && access("child-only", F_OK) < 0);
}

/* Two opens, one by each name of a file that has lost both. */
static void make_twins(int *ret)
{
	ret[0] = make("twin-a", 0, 0600, 4);
	must(link("twin-a", "twin-b"));
	ret[1] = must(open("twin-b", O_RDONLY));
	must(unlink("twin-a") | unlink("twin-b"));
}

static void check_twins(const int *twin)
{
	struct stat a, b;

	check(!fstat(twin[0], &a) && !fstat(twin[1], &b));
	check(a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_nlink == 0);
	check(link_ends(twin[0], "/twin-a (deleted)") && link_ends(twin[1], "/twin-b (deleted)"));
	check(pwrite(twin[0], "new", 3, 5) == 3);
	check(pread(twin[1], (char[3]){0}, 3, 5) == 3);
}

int main(void)
{
	static const char odd[] = "odd \\ \" ' \n %s \t\x01 (deleted)";
	struct timespec times[2] = {{1000000000, 111}, {1100000000, 222}};
	struct stat before, st;
	int taken = make("taken", 0, 0600, 1), strange = make(odd, 0, 06751, 2), locked, twin[2];
	int temp = must(open(".", O_TMPFILE | O_RDWR, 0600));

	must(unlink("taken") | unlink(odd));
	must(close(make("taken", 0, 0600, 9)));
	must(fchown(strange, 1234, 4321));
	must(fchmod(strange, 06751));
	must(futimens(strange, times));
	must(fstat(strange, &before));
	must_true(!mkdir("locked", 0700) || errno == EEXIST);
	locked = make("locked/file", 0, 0400, 3);
	must(unlink("locked/file"));
	must(chown("locked", 1234, 1234) | chmod("locked", 0555));
	make_twins(twin);
	must_true(write(temp, "nameless", 8) == 8);
	task_run(holder, NULL);
	checkpoint();
	check(content_ok(taken, 1) && link_ends(taken, "/taken (deleted)"));
	taken = open("taken", O_RDONLY);
	check(content_ok(taken, 9));
	check(!fstat(strange, &st) && st.st_mode == before.st_mode && st.st_uid == 1234 &&
	      st.st_gid == 4321 && st.st_nlink == 0);
	check(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == before.st_atim.tv_nsec);
	check(st.st_mtim.tv_sec == 1100000000 && st.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
	check(content_ok(strange, 2) && content_ok(locked, 3));
	check(!stat("locked", &st) && (st.st_mode & 07777) == 0555);
	check_twins(twin);
	check(lseek(temp, 0, SEEK_CUR) == 8 && fcntl(temp, F_GETFL) & O_DIRECTORY);
	check(!linkat(AT_FDCWD, "/proc/self/fd/999", AT_FDCWD, "x", 0) || errno == ENOENT);
	return test_end();
}
