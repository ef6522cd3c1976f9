/*
 * POSIX, OFD and flock locks: owner, type and range; a POSIX lock on a file that is mapped as well;
 * a flock that only a child still has.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>

static int whole, ranges, inherited;
static uint32_t *turn;

static struct flock range(short type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_start = start, .l_len = len };
}

static void child(void *arg)
{
	struct flock f = range(F_WRLCK, 0, 0);
	int fd;

	(void)arg;
	event_wait(turn, 1);
	checkpoint_wait();
	check(!fcntl(ranges, F_GETLK, &f) && f.l_type == F_WRLCK && f.l_start == 10 &&
	      f.l_len == 5 && f.l_pid == getppid());
	fd = must(open("inherited", O_RDWR));
	check(flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	check(!flock(inherited, LOCK_UN) && !flock(fd, LOCK_SH | LOCK_NB));
	fd = must(open("whole", O_RDWR));
	f = range(F_WRLCK, 0, 0);
	check(!fcntl(fd, F_OFD_GETLK, &f) && f.l_type == F_RDLCK && f.l_start == 3 && !f.l_len);
}

int main(void)
{
	struct flock f = range(F_WRLCK, 10, 5), o = range(F_RDLCK, 3, 0);

	turn = shared_alloc(4096);
	ranges = must(open("ranges", O_CREAT | O_RDWR, 0600));
	whole = must(open("whole", O_CREAT | O_RDWR, 0600));
	inherited = must(open("inherited", O_CREAT | O_RDWR, 0600));
	must(ftruncate(ranges, 4096));
	must_ptr(mmap(NULL, 4096, PROT_READ, MAP_SHARED, ranges, 0));
	must(fcntl(ranges, F_SETLK, &f));
	must(fcntl(whole, F_OFD_SETLK, &o));
	must(flock(inherited, LOCK_EX));
	task_run(child, NULL);
	must(close(inherited));
	event_add(turn);
	checkpoint();
	return test_end();
}
