/*
 * Every way in which two processes hold the ends of a pipe, with and without content: what each
 * descriptor tells before and after, who sees the end of it, and that what is written arrives.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>

enum {
	WAYS = 32,
	PARENT_READS = 1,
	PARENT_WRITES = 2,
	CHILD_READS = 4,
	CHILD_WRITES = 8,
	FULL = 16
};

struct told {
	short events;
	int waits;
};

static int end[WAYS][2];
static uint32_t *turn;

static void hold(int reads, int writes)
{
	for (int way = 0; way < WAYS; way++) {
		if (!(way & reads))
			must(close(end[way][0]));
		if (!(way & writes))
			must(close(end[way][1]));
	}
}

static struct told ask(int fd)
{
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};
	struct told t = {0};

	poll(&p, 1, 0);
	t.events = p.revents;
	(void)ioctl(fd, FIONREAD, &t.waits);
	return t;
}

static void ask_all(int reads, int writes, struct told t[WAYS][2])
{
	for (int way = 0; way < WAYS; way++)
		for (int i = 0; i < 2; i++)
			if (way & (i ? writes : reads))
				t[way][i] = ask(end[way][i]);
}

static void compare(int reads, int writes, struct told before[WAYS][2])
{
	struct told now[WAYS][2] = {0};

	ask_all(reads, writes, now);
	for (int way = 0; way < WAYS; way++)
		for (int i = 0; i < 2; i++)
			check(before[way][i].events == now[way][i].events &&
				      before[way][i].waits == now[way][i].waits,
			      "way %#x end %d: %x %d and not %x %d", way, i, now[way][i].events,
			      now[way][i].waits, before[way][i].events, before[way][i].waits);
}

static void child(void *arg)
{
	struct told before[WAYS][2] = {0};
	char buf[16];

	(void)arg;
	hold(CHILD_READS, CHILD_WRITES);
	event_add(turn);
	event_wait(turn, 2);
	ask_all(CHILD_READS, CHILD_WRITES, before);
	event_add(turn);
	checkpoint_wait();
	compare(CHILD_READS, CHILD_WRITES, before);
	event_add(turn);
	event_wait(turn, 5); /* both have compared, and the parent has written */
	for (int way = 0; way < WAYS; way++)
		if (way & CHILD_READS && way & PARENT_WRITES) {
			int want = way & FULL ? 8 : 3;

			check(read(end[way][0], buf, 16) == want, "way %#x", way);
		}
}

int main(void)
{
	struct told before[WAYS][2] = {0};

	signal(SIGPIPE, SIG_IGN);
	turn = shared_alloc(4096);
	for (int way = 0; way < WAYS; way++) {
		must(pipe2(end[way], O_NONBLOCK));
		if (way & FULL)
			must(write(end[way][1], "hello", 5));
	}
	task_run(child, NULL);
	event_wait(turn, 1);
	hold(PARENT_READS, PARENT_WRITES);
	event_add(turn);
	event_wait(turn, 3);
	ask_all(PARENT_READS, PARENT_WRITES, before);
	checkpoint();
	event_wait(turn, 4);
	compare(PARENT_READS, PARENT_WRITES, before);
	for (int way = 0; way < WAYS; way++)
		if (way & PARENT_WRITES)
			check(write(end[way][1], "abc", 3) ==
				      (way & (PARENT_READS | CHILD_READS) ? 3 : -1),
			      "way %#x", way);
	event_add(turn);
	return test_end();
}
