/*
 * Locks: of processes, of descriptions, of whole files; shared and exclusive; several ranges; held
 * by a child only; inherited; on a file that is mapped as well. Who asks is told the right holder.
 */
/* harness: dump=--file-locks */
#include "test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>

static uint32_t *ready;

static int make(const char *name)
{
	int fd = must(open(name, O_CREAT | O_RDWR, 0600));

	must(ftruncate(fd, 8192));
	return fd;
}

static void lock(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock l = {.l_type = type, .l_start = start, .l_len = len};

	must(fcntl(fd, cmd, &l));
}

/* What stands against a write lock of the whole range. */
static struct flock asked(const char *name, int cmd, off_t start, off_t len)
{
	struct flock l = {.l_type = F_WRLCK, .l_start = start, .l_len = len};
	int fd = open(name, O_RDWR);

	check(fd >= 0 && !fcntl(fd, cmd, &l), "%s", name);
	return l;
}

static void check_lock(struct flock l, short type, off_t start, off_t len, pid_t pid)
{
	check(l.l_type == type && l.l_start == start && l.l_len == len && l.l_pid == pid,
	      "type %d %ld+%ld of %d, not %d %ld+%ld of %d", l.l_type, l.l_start, l.l_len, l.l_pid,
	      type, start, len, pid);
}

static void child(void *arg)
{
	int fd = make("child"), own;

	(void)arg;
	lock(fd, F_SETLK, F_WRLCK, 10, 5);
	lock(fd, F_SETLK, F_RDLCK, 100, 0);
	own = make("flock-child");
	must(flock(own, LOCK_SH));
	event_add(ready);
	checkpoint_wait();
	check_lock(asked("posix", F_GETLK, 0, 50), F_WRLCK, 20, 10, getppid());
	check_lock(asked("posix", F_GETLK, 50, 0), F_RDLCK, 60, 1, getppid());
	check_lock(asked("mapped", F_GETLK, 0, 0), F_WRLCK, 0, 4, getppid());
	check(flock(open("flock", O_RDWR), LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	event_add(ready);
	event_wait(ready, 3);
}

int main(void)
{
	int posix = make("posix"), whole = make("flock"), ofd = make("ofd"),
	    mapped = make("mapped");
	pid_t pid;
	int shared;

	ready = shared_alloc(4096);
	must(flock(whole, LOCK_EX));
	lock(ofd, F_OFD_SETLK, F_RDLCK, 0, 10);
	lock(ofd, F_OFD_SETLK, F_WRLCK, 20, 10);
	shared = must(open("ofd", O_RDWR));
	lock(shared, F_OFD_SETLK, F_RDLCK, 5, 10);
	pid = task_run(child, NULL);
	lock(posix, F_SETLK, F_WRLCK, 20, 10);
	lock(posix, F_SETLK, F_RDLCK, 60, 1);
	must_ptr(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0));
	lock(mapped, F_SETLK, F_WRLCK, 0, 4);
	event_wait(ready, 1);
	checkpoint();
	event_wait(ready, 2);
	check_lock(asked("child", F_GETLK, 0, 50), F_WRLCK, 10, 5, pid);
	check_lock(asked("child", F_GETLK, 50, 0), F_RDLCK, 100, 0, pid);
	check_lock(asked("ofd", F_OFD_GETLK, 16, 0), F_WRLCK, 20, 10, -1);
	check_lock(asked("ofd", F_OFD_GETLK, 11, 3), F_RDLCK, 5, 10, -1);
	check(flock(open("flock", O_RDWR), LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	check(flock(open("flock-child", O_RDWR), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	check(!flock(whole, LOCK_UN) && !flock(open("flock", O_RDWR), LOCK_EX | LOCK_NB));
	event_add(ready);
	return test_end();
}
