/* Thousands of watches, with holes in their numbers: all numbers and files are right afterwards. */
/* harness: modes=restore,running */
#include "test.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum { WATCHES = 3000 };

int main(void)
{
	static int wd[WATCHES];
	int q = must(inotify_init1(IN_NONBLOCK)), n = -1;
	struct inotify_event e;
	char name[32];

	must(mkdir("d", 0700));
	for (int i = 0; i < WATCHES; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		must(close(must(open(name, O_CREAT | O_WRONLY, 0600))));
		wd[i] = must(inotify_add_watch(q, name, IN_ATTRIB));
	}
	for (int i = 0; i < WATCHES; i += 3)
		must(inotify_rm_watch(q, wd[i]));
	while (read(q, &e, sizeof(e)) > 0)
		continue;
	checkpoint();
	check(!ioctl(q, FIONREAD, &n) && n == 0, "%d bytes of events", n);
	for (int i = 0; i < WATCHES; i += 100) {
		snprintf(name, sizeof(name), "d/%d", i);
		check(!chmod(name, 0640));
		if (i % 3)
			check(read(q, &e, sizeof(e)) == sizeof(e) && e.wd == wd[i], "watch %d", i);
	}
	check(read(q, &e, sizeof(e)) < 0);
	return test_end();
}
