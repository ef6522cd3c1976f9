/*
 * Tasks that are caught while they write: each appends to a file of its own, reads back what it
 * wrote, cuts the file off, opens and closes it, and moves it to another name.
 */
/* harness: busy moves modes=restore,running,cycles */
#include "test.h"

#include <fcntl.h>

enum { TASKS = 5, LEN = 3000, ROUNDS = 20 };

static bool append(int fd, uint64_t seed)
{
	char buf[LEN], back[LEN];
	off_t end = lseek(fd, 0, SEEK_END);

	pattern_fill(buf, LEN, seed);
	return write(fd, buf, LEN) == LEN && lseek(fd, 0, SEEK_CUR) == end + LEN &&
	       pread(fd, back, LEN, end) == LEN && !memcmp(buf, back, LEN);
}

static void writer(void *arg)
{
	char name[2][16];
	uint64_t step = 0;
	bool ok = true;
	int fd, now;

	for (int i = 0; i < 2; i++)
		snprintf(name[i], sizeof(name[i]), "file-%d-%d", (int)(uintptr_t)arg, i);
	fd = must(open(name[0], O_CREAT | O_RDWR, 0600));
	checkpoint_arrive();
	for (; ok && !checkpoint_passed(); step++) {
		ok &= append(fd, step);
		if (step % ROUNDS)
			continue;
		now = step / ROUNDS % 2;
		ok &= !ftruncate(fd, 0) && !rename(name[now], name[!now]) && !close(fd);
		fd = open(name[!now], O_RDWR);
	}
	check(ok && fd >= 0, "step %lu", step);
}

int main(void)
{
	checkpoint_prepare();
	for (long i = 0; i < TASKS; i++)
		task_run(writer, (void *)i);
	checkpoint();
	return test_end();
}
