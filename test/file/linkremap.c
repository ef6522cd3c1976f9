/*
 * Files whose opened name is gone but which have others: the same inode comes back, with as many
 * links as before, from one task and from two, opened twice by different names, below a directory
 * that was removed too.
 */
/* harness: dump=--link-remap */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

struct file {
	int fd;
	struct stat st;
};

static struct file make(const char *name, const char *other)
{
	struct file f = {.fd = must(open(name, O_CREAT | O_EXCL | O_RDWR, 0640))};

	must(link(name, other));
	must(unlink(name));
	must(fstat(f.fd, &f.st));
	return f;
}

static void check_file(const struct file *f, const char *other)
{
	struct stat a, b;

	check(!fstat(f->fd, &a) && !stat(other, &b), "%s", other);
	check(a.st_ino == f->st.st_ino && b.st_ino == a.st_ino && b.st_dev == a.st_dev, "%s",
	      other);
	check(a.st_nlink == f->st.st_nlink, "%s has %lu links, had %lu", other, a.st_nlink,
	      f->st.st_nlink);
}

static void child(void *arg)
{
	struct file f = make("child", "child-other");

	checkpoint_wait();
	check_file(&f, "child-other");
	check_file(arg, "plain-other");
}

int main(void)
{
	struct file plain = make("plain", "plain-other"), below, twice;
	char path[64];

	must(mkdir("dir", 0700));
	below = make("dir/file", "below-other");
	must(rmdir("dir"));
	twice = make("twice", "twice-other");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", twice.fd);
	must(open(path, O_RDONLY));
	must(open("twice-other", O_RDONLY));
	task_run(child, &plain);
	checkpoint();
	check_file(&plain, "plain-other");
	check_file(&below, "below-other");
	check_file(&twice, "twice-other");
	check(access("plain", F_OK) < 0 && access("twice", F_OK) < 0 && access("dir", F_OK) < 0);
	return test_end();
}
