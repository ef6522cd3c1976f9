/*
 * inotify watches: numbers with gaps, masks with IN_ONESHOT and IN_EXCL_UNLINK, a file, a
 * directory, a symbolic link itself, a deleted file that is open; no event that nobody caused, and
 * events afterwards.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int q;

static void expect(int wd, uint32_t mask, const char *name)
{
	char buf[512] __attribute__((aligned(8)));
	struct inotify_event *e = (void *)buf;
	long n = read(q, buf, sizeof(*e) + (*name ? 16 : 0));

	check(n > 0 && e->wd == wd && e->mask == mask && !strcmp(e->len ? e->name : "", name),
	      "read %ld: wd %d mask %#x '%s', not wd %d mask %#x '%s'", n, n > 0 ? e->wd : 0,
	      n > 0 ? e->mask : 0, n > 0 && e->len ? e->name : "", wd, mask, name);
}

static void expect_none(void)
{
	int n = -1;

	check(!ioctl(q, FIONREAD, &n) && n == 0, "%d bytes of events that nobody caused", n);
}

int main(void)
{
	int dir, file, once, link, ghost, place, open_ghost, next = 1000;

	must(mkdir("dir", 0700));
	must(mkdir("place", 0700));
	must(close(must(open("file", O_CREAT | O_WRONLY, 0600))));
	must(close(must(open("dir/once", O_CREAT | O_WRONLY, 0600))));
	must(symlink("file", "link"));
	open_ghost = must(open("ghost", O_CREAT | O_RDWR, 0600));
	q = must(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	dir = must(inotify_add_watch(q, "dir", IN_CREATE | IN_DELETE | IN_EXCL_UNLINK));
	must(ioctl(q, _IOW('I', 0, int), (long)next));
	file = must(inotify_add_watch(q, "file", IN_ALL_EVENTS));
	once = must(inotify_add_watch(q, "dir/once", IN_OPEN | IN_ONESHOT));
	link = must(inotify_add_watch(q, "link", IN_DELETE_SELF | IN_DONT_FOLLOW | IN_ATTRIB));
	ghost = must(inotify_add_watch(q, "ghost", IN_MODIFY));
	place = must(inotify_add_watch(q, "place", IN_DELETE_SELF | IN_ATTRIB));
	must_true(file == 1000 && place == 1004);
	must(inotify_rm_watch(q, file + 1));
	must_true(read(q, &(char[16]){0}, 16) == 16);
	once = must(inotify_add_watch(q, "dir/once", IN_OPEN | IN_ONESHOT));
	must(unlink("ghost"));
	checkpoint();
	expect_none();
	check(!mkdir("dir/new", 0700));
	expect(dir, IN_CREATE | IN_ISDIR, "new");
	check(!close(open("dir/once", O_RDONLY)));
	expect(once, IN_OPEN, "");
	expect(once, IN_IGNORED, "");
	check(!chmod("file", 0640));
	expect(file, IN_ATTRIB, "");
	check(write(open_ghost, "x", 1) == 1);
	expect(ghost, IN_MODIFY, "");
	check(!unlink("link"));
	expect(link, IN_ATTRIB, "");
	expect(link, IN_DELETE_SELF, "");
	expect(link, IN_IGNORED, "");
	check(!rmdir("place"));
	expect(place, IN_DELETE_SELF, "");
	expect(place, IN_IGNORED, "");
	check(inotify_add_watch(q, "/", IN_CREATE) == once + 1);
	expect_none();
	return test_end();
}
