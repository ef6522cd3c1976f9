/*
 * Files of /proc: of a child, of another one read half way, of a namespace, of a task that has
 * exited (a directory, a file, the working directory of a task): operations fail as before.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct {
	int dir, file, ns, dead_dir, dead_file;
	pid_t child, dead;
} o;

static int open_of(pid_t pid, const char *what, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return open(path, flags);
}

static bool same(int fd, int other)
{
	struct stat a, b;

	return !fstat(fd, &a) && !fstat(other, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void sleeper(void *arg)
{
	char path[64];

	if (arg) {
		snprintf(path, sizeof(path), "/proc/%d", o.dead);
		must(chdir(path));
		event_add(arg);
		event_wait(arg, 2);
	}
	checkpoint_wait();
	if (arg)
		check(!getcwd((char[256]){0}, 256) && errno == ENOENT);
}

static pid_t victim(uint32_t *event)
{
	pid_t pid = must(fork());

	if (pid)
		return pid;
	event_wait(event, 1);
	_exit(0);
}

int main(void)
{
	uint32_t *event = shared_alloc(4096), *end = event + 16;
	char text[16] = "";

	checkpoint_prepare();
	o.child = task_run(sleeper, NULL);
	o.dead = victim(end);
	task_run(sleeper, event);
	event_wait(event, 1);
	o.dir = must(open_of(o.child, "", O_RDONLY | O_DIRECTORY));
	o.file = must(open_of(o.child, "status", O_RDONLY));
	must_true(read(o.file, text, 3) == 3);
	o.ns = must(open("/proc/self/ns/pid", O_RDONLY));
	o.dead_dir = must(open_of(o.dead, "", O_RDONLY | O_DIRECTORY));
	o.dead_file = must(open_of(o.dead, "status", O_RDONLY));
	event_add(end);
	must(waitpid(o.dead, NULL, 0));
	event_add(event);
	checkpoint();
	check(same(o.dir, open_of(o.child, "", O_RDONLY)));
	check(same(o.file, open_of(o.child, "status", O_RDONLY)));
	check(read(o.file, text, 3) == 3 && !memcmp(text, "e:\t", 3), "%s", text);
	check(same(o.ns, open("/proc/self/ns/pid", O_RDONLY)));
	check(faccessat(o.dead_dir, "stat", F_OK, 0) < 0 && errno == ESRCH);
	check(read(o.dead_file, text, 1) < 0 && errno == ESRCH);
	return test_end();
}
