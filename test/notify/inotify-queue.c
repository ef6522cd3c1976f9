/*
 * Unread events: of every sort, in their order, also of watches that are gone; a queue that
 * overflowed in its middle. Cookies may be new, but pairs stay pairs. In a tree that goes on they
 * stay where they are.
 */
/* harness: modes=restore,running,again */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum { ROOM = 1 << 22 };

struct queue {
	int fd, twin; /* the second one tells what is expected: it is read before */
	char *want;
	long len;
};

/* Everything in it, with the cookies numbered from 1. */
static long take(int fd, char *buf)
{
	uint32_t cookie[64], n = 0;
	int bytes = 0;
	long len;

	must(ioctl(fd, FIONREAD, &bytes));
	len = bytes ? must(read(fd, buf, ROOM)) : 0;
	for (char *p = buf; p < buf + len;) {
		struct inotify_event *e = (void *)p;
		uint32_t i = 0;

		while (e->cookie && i < n && cookie[i] != e->cookie)
			i++;
		if (e->cookie && i == n)
			cookie[n++] = e->cookie;
		e->cookie = e->cookie ? i + 1 : 0;
		p += sizeof(*e) + e->len;
	}
	return len;
}

static void watch(struct queue *q, const char *path, uint32_t mask)
{
	must(inotify_add_watch(q->fd, path, mask));
	must(inotify_add_watch(q->twin, path, mask));
}

static void cause(void)
{
	int fd = must(open("a/file", O_CREAT | O_RDWR, 0600));
	DIR *dir;

	must(write(fd, "text", 4));
	must(pread(fd, &(char){0}, 1, 0));
	must(fchmod(fd, 0640));
	must(close(fd));
	must(close(must(open("a/file", O_RDONLY))));
	must(rename("a/file", "b/with-a-name-of-many-letters"));
	must(rename("b/with-a-name-of-many-letters", "outside"));
	must(rename("outside", "a/again"));
	must(rename("a/again", "a/inside"));
	must(mkdir("a/sub", 0700));
	dir = must_ptr(opendir("a"));
	while (readdir(dir))
		continue;
	must(closedir(dir));
	must(rmdir("a/sub"));
	must(rename("b", "c"));
	must(unlink("a/inside"));
	must(unlink("single"));
	must(rmdir("a"));
}

static void make(struct queue *q)
{
	*q = (struct queue){ must(inotify_init1(IN_NONBLOCK)), must(inotify_init1(IN_NONBLOCK)),
			     must_ptr(malloc(ROOM)), 0 };
}

static void compare(struct queue *q)
{
	char *got = must_ptr(malloc(ROOM));
	long len = take(q->fd, got);
	bool same = len == q->len && !memcmp(got, q->want, (size_t)len);

	check(same, "%ld bytes, not %ld", len, q->len);
	for (long at = 0; !same && at < len && at < 4000;) {
		struct inotify_event *e = (void *)(got + at), *w = (void *)(q->want + at);

		same = memcmp(e, w, sizeof(*e));
		check(!same, "wd %d/%d mask %#x/%#x cookie %u/%u len %u/%u", e->wd, w->wd, e->mask,
		       w->mask, e->cookie, w->cookie, e->len, w->len);
		at += (long)(sizeof(*e) + e->len);
	}
	free(got);
}

int main(void)
{
	struct queue all, lost;
	int many = must(open("many", O_CREAT | O_RDWR, 0600));

	must(mkdir("a", 0700));
	must(mkdir("b", 0700));
	must(close(must(open("single", O_CREAT | O_WRONLY, 0600))));
	make(&all);
	make(&lost);
	watch(&all, ".", IN_MOVED_TO | IN_DELETE);
	watch(&all, "a", IN_ALL_EVENTS);
	watch(&all, "b", IN_CREATE | IN_DELETE | IN_MOVE | IN_MOVE_SELF);
	watch(&all, "single", IN_ALL_EVENTS);
	watch(&lost, "many", IN_ATTRIB | IN_MODIFY);
	cause();
	for (int i = 0; i < 10000; i++) {
		must(fchmod(many, 0600));
		must(pwrite(many, "x", 1, 0));
	}
	must(read(lost.fd, lost.want, 16 * 10000)); /* behind the loss there is room again */
	must(read(lost.twin, lost.want, 16 * 10000));
	must(fchmod(many, 0600));
	all.len = take(all.twin, all.want);
	lost.len = take(lost.twin, lost.want);
	must_true(all.len > 0 && lost.len > 16 * 6000);
	close(all.twin);
	close(lost.twin);
	checkpoint();
	compare(&all);
	compare(&lost);
	check(!close(open("c/new", O_CREAT | O_WRONLY, 0600)));
	check(take(all.fd, all.want) > 0 && ((struct inotify_event *)all.want)->mask == IN_CREATE);
	return test_end();
}
