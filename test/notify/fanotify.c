/*
 * fanotify marks: on an inode, a deleted file that is open, a mount and a file system, ignored
 * masks of both sorts; flags of the group and of its events; no event that nobody caused, and
 * events afterwards.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum { IGNORE_SURV = 0x400 | FAN_MARK_IGNORED_SURV_MODIFY };

static void mark(int group, unsigned int how, uint64_t mask, const char *path)
{
	must(fanotify_mark(group, FAN_MARK_ADD | how, mask, AT_FDCWD, path));
}

static void expect_none(int group)
{
	int n = -1;

	check(!ioctl(group, FIONREAD, &n) && n == 0, "%d bytes of events", n);
}

static void expect(int group, uint64_t mask, int access)
{
	struct fanotify_event_metadata e = {0};
	long n = read(group, &e, sizeof(e));

	check(n == sizeof(e) && e.mask == mask, "read %ld, mask %#llx", n,
	      (unsigned long long)e.mask);
	check(n > 0 && e.pid == getpid());
	check(n > 0 && (fcntl(e.fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == access);
	if (n > 0)
		close(e.fd);
}

int main(void)
{
	int group, wide, ghost = must(open("ghost", O_CREAT | O_RDWR, 0600)), n = 0;

	group = fanotify_init(FAN_NONBLOCK | FAN_CLOEXEC | FAN_CLASS_NOTIF | FAN_UNLIMITED_QUEUE,
			      O_RDONLY | O_NONBLOCK);
	if (group < 0)
		skip("no fanotify: %s", strerror(errno));
	wide = must(fanotify_init(FAN_NONBLOCK | FAN_REPORT_FID, 0));
	must(mkdir("dir", 0700));
	must(close(must(open("file", O_CREAT | O_WRONLY, 0600))));
	must(close(must(open("dir/child", O_CREAT | O_WRONLY, 0600))));
	mark(group, 0, FAN_MODIFY | FAN_OPEN, "file");
	mark(group, FAN_MARK_IGNORED_MASK, FAN_CLOSE_WRITE, "file");
	mark(group, 0, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD | FAN_ONDIR, "dir");
	mark(group, IGNORE_SURV, FAN_ACCESS, "dir");
	mark(group, 0, FAN_MODIFY, "ghost");
	mark(group, FAN_MARK_MOUNT, FAN_OPEN_EXEC, ".");
	mark(group, FAN_MARK_MOUNT | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY,
	     FAN_OPEN_EXEC, "file");
	mark(wide, FAN_MARK_FILESYSTEM, FAN_FS_ERROR, "dir"); /* that nobody else causes */
	must(unlink("ghost"));
	must(ioctl(group, FIONREAD, &n));
	must_true(n == 0);
	checkpoint();
	expect_none(group);
	n = must(open("file", O_WRONLY));
	expect(group, FAN_OPEN, O_NONBLOCK);
	check(write(n, "x", 1) == 1);
	expect(group, FAN_MODIFY, O_NONBLOCK);
	close(n);
	expect_none(group);
	close(must(open("dir/child", O_WRONLY)));
	expect(group, FAN_CLOSE_WRITE, O_NONBLOCK);
	check(write(ghost, "x", 1) == 1);
	expect(group, FAN_MODIFY, O_NONBLOCK);
	expect_none(group);
	check(!fanotify_mark(wide, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM, FAN_FS_ERROR, AT_FDCWD,
			     "dir"));
	return test_end();
}
